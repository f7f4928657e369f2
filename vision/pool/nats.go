package pool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// maxPayload holds the features of the largest input, base64 and all.
const maxPayload = 32 << 20

// startServer starts the built-in NATS server.
func (p *Pool) startServer() error {
	if p.settings.Access.Token == "" {
		p.settings.Access.Token = rand.Text()
	}
	secure, err := p.settings.Access.ServerTLS()
	if err != nil {
		return err
	}
	host, port := "127.0.0.1", server.RANDOM_PORT
	if p.settings.Listen != "" {
		h, text, err := net.SplitHostPort(p.settings.Listen)
		if err != nil {
			return fmt.Errorf("the NATS address must be host:port: %w", err)
		}
		if port, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("the NATS address must be host:port: %w", err)
		}
		host = h
	}
	if p.local, err = p.settings.Access.Local(); err != nil {
		return err
	}
	ns, err := server.NewServer(&server.Options{
		ServerName: "loupe", Host: host, Port: port, Authorization: p.settings.Access.Token, TLSConfig: secure, TLSTimeout: 5,
		MaxPayload: maxPayload, MaxPending: 4 * maxPayload, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return fmt.Errorf("set up the built-in NATS server: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		ns.Shutdown()
		return errors.New("the built-in NATS server did not start: is its address in use?")
	}
	p.server = ns
	return nil
}

// connect joins the server, the built-in one in this process without a socket.
func (p *Pool) connect() error {
	options := []nats.Option{nats.Name("loupe-server"), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond)}
	url := p.settings.URL
	if p.server != nil {
		options = append(options, nats.InProcessServer(p.server), nats.Token(p.settings.Access.Token))
	} else {
		access, err := p.settings.Access.Options()
		if err != nil {
			return err
		}
		options = append(options, access...)
	}
	var err error
	p.conn, err = nats.Connect(url, options...)
	return err
}
