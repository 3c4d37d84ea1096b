package wire

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Encrypt starts TLS 1.3 on a connection, and returns one for NewClient or Ping
// once the server has proved its identity as config requires. Before that, only the
// handshake is sent. timeout is as for NewClient, and limits the handshake as well.
// Encrypt takes over nc, and closes it if it fails.
//
// A config with a ClientSessionCache saves that proof the next time, but no round
// trip: crypto/tls sends no early data, which others could replay.
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
