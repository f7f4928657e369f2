package pool_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"loupe/vision"
	"loupe/vision/pool"
	"loupe/vision/wire"
	"loupe/vision/worker"
)

// authority signs certificates into a folder.
type authority struct {
	t      *testing.T
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
	file   string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, folder: t.TempDir()}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: "plant"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.file, _ = a.sign("ca", a.cert, nil)
	return a
}

// sign writes a certificate and its key; without a parent it signs itself.
func (a *authority) sign(name string, c, parent *x509.Certificate) (certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.serial++
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(a.serial), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	signer := a.key
	if parent == nil {
		parent, signer, a.key = c, key, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(a.folder, name+".pem"), filepath.Join(a.folder, name+".key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func (a *authority) access(name string, usage ...x509.ExtKeyUsage) wire.Access {
	cert, key := a.sign(name, &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{"plant.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: usage}, a.cert)
	return wire.Access{CA: a.file, Cert: cert, Key: key}
}

func TestOnlyWorkersWithACertificateAndTheTokenTakePart(t *testing.T) {
	plant, stranger := newAuthority(t), newAuthority(t)
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	server := plant.access("server", both...)
	server.Token = "secret"
	c := open(t, pool.Settings{Access: server})
	good, _ := c.versions()
	run := func(a wire.Access) error {
		blobs := url.URL{Scheme: "file", Path: c.folder}
		done := make(chan error, 1)
		go func() {
			done <- worker.Run(t.Context(), worker.Settings{NATSURL: c.URL(), Access: a, BlobsURL: blobs.String(), Threads: 1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		}()
		select {
		case err := <-done:
			return err
		case <-time.After(3 * time.Second):
			return nil
		}
	}
	with := func(a wire.Access, token string) wire.Access { a.Token = token; return a }
	client := plant.access("worker", x509.ExtKeyUsageClientAuth)
	for name, a := range map[string]wire.Access{
		"nothing":                      {},
		"the token alone":              {Token: "secret"},
		"no certificate":               {Token: "secret", CA: plant.file},
		"a certificate and no token":   client,
		"a guessed token":              with(client, "guess"),
		"another plant's certificate":  with(wire.Access{CA: plant.file, Cert: stranger.access("worker", both...).Cert, Key: filepath.Join(stranger.folder, "worker.key")}, "secret"),
		"trust in another plant alone": with(wire.Access{CA: stranger.file, Cert: client.Cert, Key: client.Key}, "secret"),
	} {
		err := run(a)
		t.Logf("%s: %v", name, err)
		if all := c.Workers(); len(all) != 0 {
			t.Fatalf("%s: let in as %+v", name, all)
		}
	}
	if err := run(with(client, "secret")); err != nil {
		t.Fatalf("with both: %v", err)
	}
	c.eventually("the worker is there", func() bool { return len(c.Workers()) == 1 })
	if r, err := c.Judge(t.Context(), c.request("part.jpg", good)); err != nil || r.Judgement.Verdict != vision.OK {
		t.Errorf("%s, %v", r.Judgement.Verdict, err)
	}
}

// The workers that a server starts itself need nothing set up beside its certificate.
func TestLocalWorkersJoinByTheServersOwnCertificate(t *testing.T) {
	plant := newAuthority(t)
	cert, key := plant.sign("own", &x509.Certificate{Subject: pkix.Name{CommonName: "own"}, DNSNames: []string{"plant.test"}}, nil)
	c := open(t, pool.Settings{Access: wire.Access{Cert: cert, Key: key}})
	c.hire(1)
	good, _ := c.versions()
	if _, err := c.Judge(t.Context(), c.request("part.jpg", good)); err != nil {
		t.Error(err)
	}
}
