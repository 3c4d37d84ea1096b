package wire

import (
	"bytes"
	"crypto/tls"
	"fmt"
)

// typeHandshake is the first byte of a TLS connection (RFC 8446, 5.1).
const typeHandshake = 0x16

var (
	errNoTLS       = &Error{CodeProtocol, "this server does not speak TLS"}
	errTLSRequired = &Error{CodeTLSRequired, "this server requires TLS"}
)

// encrypt starts TLS if first is that of a handshake, and returns the first byte
// inside. It fails if the server requires TLS and the client does not speak it, or
// the reverse.
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
	c.link.tls = tls.Server(&network{link: &c.link, hello: bytes.Clone(hello)}, c.srv.tlsConfig())
	c.releaseBuffer()
	if err := c.link.handshake(c.ctx, c.srv.limits.HeaderTimeout); err != nil {
		return 0, fmt.Errorf("TLS handshake: %w", err)
	}
	if c.srv.Authenticate == nil {
		c.markAuthenticated()
	}
	first, err := c.await()
	if err == nil {
		err = c.takeHTTP(first)
	}
	return first, err
}

// refusePlain refuses a client in its own dialect because it does not speak TLS.
func (c *conn) refusePlain(first byte) error {
	if err := c.recognise(first); err != nil {
		return err
	}
	return errTLSRequired
}

// recognise finds out in which dialect a client is to be refused.
func (c *conn) recognise(first byte) (err error) {
	if first == typeString {
		if c.bare, err = c.isLab(); err != nil {
			return err
		}
	}
	c.bare = c.bare || startsText(first)
	return nil
}

// exposed reports whether the connection lacks the TLS that the server requires.
func (c *conn) exposed() bool { return c.srv.Certificate != nil && c.link.tls == nil }

func (s *Server) tlsConfig() *tls.Config {
	s.tlsOnce.Do(func() {
		s.tls = restrict(&tls.Config{
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.Certificate() },
		})
	})
	return s.tls
}
