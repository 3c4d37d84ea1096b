package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"
)

// typeHandshake is the first byte of a TLS connection (RFC 8446, 5.1).
const typeHandshake = 0x16

var (
	errNoTLS       = &Error{CodeProtocol, "this server does not speak TLS"}
	errTLSRequired = &Error{CodeTLSRequired, "this server requires TLS"}

	// errCut means that TLS ended without the peer's word that it should: anybody
	// on the way could have ended it (RFC 8446, 6.1). It is not io.EOF, which
	// means that the peer said all that it wanted to.
	errCut = fmt.Errorf("the encrypted stream was cut off: %w", io.ErrUnexpectedEOF)
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

// restrict returns config as this package uses it.
func restrict(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.MinVersion = tls.VersionTLS13
	config.DynamicRecordSizingDisabled = true // small records are for browsers, which show the beginning of a page
	return config
}

// encrypt begins TLS if the first byte asks for it, and returns the first one
// inside. It fails if the server wants it otherwise.
func (c *conn) encrypt(first byte) (byte, error) {
	switch {
	case c.srv.Certificate == nil && first == typeHandshake:
		return 0, errNoTLS
	case c.srv.Certificate == nil:
		return first, nil
	case first != typeHandshake:
		return 0, c.refusePlain(first)
	}
	hello, _ := c.r.Peek(c.r.Buffered())
	c.link.tls = tls.Server(&network{&c.link, bytes.Clone(hello)}, c.srv.tlsConfig())
	c.releaseBuffer()
	if err := c.link.handshake(c.ctx, c.srv.limits.HeaderTimeout); err != nil {
		return 0, fmt.Errorf("TLS handshake: %w", err)
	}
	if c.srv.Authenticate == nil {
		c.arrive()
	}
	return c.await()
}

// refusePlain refuses a client in the dialect that it speaks.
func (c *conn) refusePlain(first byte) error {
	if err := c.recognise(first); err != nil {
		return err
	}
	return errTLSRequired
}

// recognise finds out which dialect a client speaks that will be refused.
func (c *conn) recognise(first byte) (err error) {
	if first == typeString {
		if c.bare, err = c.isLab(); err != nil {
			return err
		}
	}
	c.bare = c.bare || isText(first)
	return nil
}

// exposed reports whether the connection is one in the clear where there should
// be none.
func (c *conn) exposed() bool { return c.srv.Certificate != nil && c.link.tls == nil }

func (s *Server) tlsConfig() *tls.Config {
	s.tlsOnce.Do(func() {
		s.tls = restrict(&tls.Config{
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.Certificate() },
		})
	})
	return s.tls
}

// handshake lets TLS begin, within d altogether.
func (l *link) handshake(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	l.deadline()
	l.SetReadDeadline(time.Time{})
	return l.tls.HandshakeContext(ctx)
}

// A network is what a link's TLS is sent through. One system call for each record
// is enough: to gather them, or to read several ahead, saved a few hundredths of
// the time, less than it varies by.
type network struct {
	*link
	hello []byte // what was read before it was known to be one
}

func (n *network) Read(p []byte) (int, error) {
	if len(n.hello) > 0 {
		k := copy(p, n.hello)
		n.hello = n.hello[k:]
		return k, nil
	}
	k, err := n.receive(p)
	if err == io.EOF {
		err = errCut // between two records crypto/tls would let it pass
	}
	return k, err
}

func (n *network) Write(p []byte) (int, error) { return n.transmit(p) }
