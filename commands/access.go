package commands

import (
	"net/url"
	"os"
	"strings"

	"loupe/vision/wire"
)

// NATSAccess are the flags of what opens a NATS server, the same for the server
// and its workers.
type NATSAccess struct {
	Creds string `help:"File of credentials (JWT and seed) for a NATS cluster with accounts." env:"LOUPE_NATS_CREDS" placeholder:"FILE"`
	CA    string `help:"PEM file of the authorities that signed the other side's certificate." name:"ca" env:"LOUPE_NATS_CA" placeholder:"FILE"`
	Cert  string `help:"PEM file of this side's certificate." env:"LOUPE_NATS_CERT" placeholder:"FILE"`
	Key   string `help:"PEM file of its private key." env:"LOUPE_NATS_KEY" placeholder:"FILE"`
	Name  string `hidden:"" env:"LOUPE_NATS_NAME"`
}

func (n NATSAccess) access(token string) wire.Access {
	return wire.Access{Token: token, Creds: n.Creds, CA: n.CA, Cert: n.Cert, Key: n.Key, Name: n.Name}
}

func (n NATSAccess) check() error {
	if err := n.access("").Check(); err != nil {
		return usage("--nats-…: %v", err)
	}
	return nil
}

// checkNATS refuses what is no URL of a NATS server, or several with commas.
func checkNATS(servers string) error {
	for one := range strings.SplitSeq(servers, ",") {
		if u, err := url.Parse(strings.TrimSpace(one)); err != nil || u.Host == "" {
			return usage("--nats %q is not a URL such as nats://plant:4222, or several with commas", servers)
		}
	}
	return nil
}

// accessEnvironment hands access to a worker by its environment, which other
// users cannot read, in place of what this process got.
func accessEnvironment(a wire.Access) []string {
	var env []string
	for _, one := range os.Environ() {
		if !strings.HasPrefix(one, "LOUPE_NATS_") {
			env = append(env, one)
		}
	}
	for name, value := range map[string]string{"TOKEN": a.Token, "CREDS": a.Creds, "CA": a.CA, "CERT": a.Cert, "KEY": a.Key, "NAME": a.Name} {
		if value != "" {
			env = append(env, "LOUPE_NATS_"+name+"="+value)
		}
	}
	return env
}
