package pool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// maxPayload holds the features of the largest input, base64 and all.
const maxPayload = 32 << 20

// startServer starts the built-in NATS server.
func (p *Pool) startServer() error {
	if p.settings.Token == "" {
		p.settings.Token = rand.Text()
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
	ns, err := server.NewServer(&server.Options{
		ServerName: "loupe", Host: host, Port: port, Authorization: p.settings.Token,
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
