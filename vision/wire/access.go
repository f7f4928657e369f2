package wire

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
)

// Access is what opens a NATS server to this side. Files are PEM.
type Access struct {
	Token string // a secret that all share; "" for none
	Creds string // file with a NATS user's JWT and seed, of a cluster with accounts; "" for none
	CA    string // file of the authorities that signed the other side; "" means the system's
	Cert  string // file of this side's certificate, shown to the other; "" for none
	Key   string // its private key
	Name  string // that the other side's certificate bears; "" means the host of the URL
}

// Check refuses what cannot be used: a file that is missing or broken, or a
// certificate without its key.
func (a Access) Check() error {
	if (a.Cert == "") != (a.Key == "") {
		return fmt.Errorf("a certificate and its key go together: give both")
	}
	if a.Creds != "" {
		if _, err := os.Stat(a.Creds); err != nil {
			return fmt.Errorf("the credentials cannot be read: %w", err)
		}
	}
	_, err := a.tls()
	return err
}

// Options are those of a connection that shows what opens the server.
func (a Access) Options() ([]nats.Option, error) {
	config, err := a.tls()
	if err != nil {
		return nil, err
	}
	var options []nats.Option
	if config.RootCAs != nil || len(config.Certificates) > 0 {
		options = append(options, nats.Secure(config))
	}
	if a.Token != "" {
		options = append(options, nats.Token(a.Token))
	}
	if a.Creds != "" {
		options = append(options, nats.UserCredentials(a.Creds))
	}
	return options, nil
}

// ServerTLS is the configuration of a server that shows Cert and, with a CA,
// lets only those in that show a certificate signed by it; nil without Cert.
func (a Access) ServerTLS() (*tls.Config, error) {
	config, err := a.tls()
	if err != nil || a.Cert == "" {
		return nil, err
	}
	config.ServerName = ""
	if config.RootCAs != nil {
		config.ClientCAs, config.ClientAuth = config.RootCAs, tls.RequireAndVerifyClientCert
	}
	return config, nil
}

func (a Access) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: a.Name}
	if a.Cert != "" {
		pair, err := tls.LoadX509KeyPair(a.Cert, a.Key)
		if err != nil {
			return nil, fmt.Errorf("the certificate %s and its key cannot be used: %w", a.Cert, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if a.CA != "" {
		pem, err := os.ReadFile(a.CA)
		if err != nil {
			return nil, fmt.Errorf("the authorities cannot be read: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", a.CA)
		}
	}
	return config, nil
}

// Local is how a worker on the server's machine reaches a server that shows
// Cert: by the name in it, whatever the address, and trusting it itself where
// no authority is named.
func (a Access) Local() (Access, error) {
	config, err := a.tls()
	if err != nil || a.Cert == "" {
		return a, err
	}
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		return a, fmt.Errorf("the certificate %s cannot be read: %w", a.Cert, err)
	}
	switch {
	case len(leaf.DNSNames) > 0:
		a.Name = leaf.DNSNames[0]
	case len(leaf.IPAddresses) > 0:
		a.Name = leaf.IPAddresses[0].String()
	default:
		return a, fmt.Errorf("the certificate %s names no host: make one with a subject alternative name", a.Cert)
	}
	if a.CA == "" {
		a.CA = a.Cert
	}
	return a, nil
}
