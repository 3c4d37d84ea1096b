package wire

import (
	"bufio"
	"bytes"
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
	transport := &network{link: l}
	l.tls = tls.Client(transport, restrict(config))
	if err := l.handshake(ctx, timeout); err != nil {
		l.Close()
		if wantsTLS(transport.clear) {
			err = errCut // on the way to a server that has not heard of TLS
		}
		return nil, err
	}
	return l, nil
}

// wantsTLS reports whether a server has refused what it took for a connection in the
// clear, so that it does encrypt.
func wantsTLS(clear []byte) bool {
	text, err := readReply(bufio.NewReader(bytes.NewReader(clear)))
	if err != nil {
		return false
	}
	ctl, err := ParseControl(text)
	return err == nil && ctl.Word == wordError && Code(ctl.Get("code")) == CodeTLSRequired
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
