package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"time"
)

// errCut means that TLS ended without close_notify, so that anyone on the path
// could have ended it (RFC 8446, 6.1). It is not io.EOF, which means that the peer
// has sent all that it wanted to.
var errCut = fmt.Errorf("the encrypted stream was cut off: %w", io.ErrUnexpectedEOF)

// restrict returns a copy of config that allows TLS 1.3 only.
func restrict(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.MinVersion = tls.VersionTLS13
	config.DynamicRecordSizingDisabled = true // small records are for browsers, which show the beginning of a page
	return config
}

// handshake performs the handshake of TLS, within d in total.
func (l *link) handshake(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	l.clearLimits()
	l.SetReadDeadline(time.Time{})
	return l.tls.HandshakeContext(ctx)
}

// A network is what a link's TLS is sent through. It makes one system call per
// record: buffering several saved a few hundredths of the time, less than it varies
// by.
type network struct {
	*link
	hello []byte // received already, and to be read first
	clear []byte // what came first, if it is no record of TLS but a String
	begun bool   // something has come
}

func (n *network) Read(p []byte) (int, error) {
	if len(n.hello) > 0 {
		k := copy(p, n.hello)
		n.hello = n.hello[k:]
		return k, nil
	}
	k, err := n.receive(p)
	if k > 0 && !n.begun {
		n.begun = true
		if p[0] == typeString {
			n.clear = bytes.Clone(p[:k])
		}
	}
	if err == io.EOF {
		err = errCut // between two records crypto/tls would accept it
	}
	return k, err
}

func (n *network) Write(p []byte) (int, error) { return n.transmit(p) }
