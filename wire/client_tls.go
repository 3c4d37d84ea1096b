package wire

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Encrypt begins TLS 1.3 on a connection, and returns one for NewClient or Ping
// once the server has proved that it is the one that config wants. Nothing but
// the handshake is sent before. timeout is as for NewClient; the handshake may
// take as long. Encrypt takes nc over, and closes it if it fails.
//
// A config with a ClientSessionCache saves the server's proof the next time. It
// takes as many round trips: crypto/tls sends no early data, which somebody
// else could send again.
func Encrypt(ctx context.Context, nc net.Conn, config *tls.Config, timeout time.Duration) (net.Conn, error) {
	timeout = orDefault(timeout, DefaultProgressTimeout)
	l := &link{Conn: nc, writeStall: timeout}
	l.tls = tls.Client(&network{link: l}, restrict(config))
	if err := l.handshake(ctx, timeout); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// linkOver returns the link that Encrypt made, or else one in the clear.
func linkOver(nc net.Conn, writeStall time.Duration) *link {
	l, encrypted := nc.(*link)
	if !encrypted {
		l = &link{Conn: nc}
	}
	l.writeStall = writeStall
	return l
}
