package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/wire"
)

// TLSConfig returns how to encrypt to the server host. It must have the key with the
// fingerprint pin or, if that is "", a certificate that this system trusts.
func TLSConfig(host, pin string) (*tls.Config, error) {
	config := &tls.Config{
		ServerName: host,
		// For when the connection is made again. It is not kept for other
		// processes: a file of secrets would save them no round trip.
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	if pin == "" {
		return config, nil
	}
	want, err := parseFingerprint(pin)
	if err != nil {
		return nil, err
	}
	config.InsecureSkipVerify = true // of names, dates and issuers: the key alone decides
	config.VerifyConnection = func(state tls.ConnectionState) error { return checkPin(want, state.PeerCertificates[0]) }
	return config, nil
}

// An insecureError is about a connection that is not encrypted as one of the two sides
// wants it.
type insecureError struct {
	addr string
	err  error
}

func (e *insecureError) Error() string { return "TLS with " + e.addr + ": " + e.reason() }
func (e *insecureError) Unwrap() error { return e.err }

// passes reports whether the network failed, rather than one of the two sides.
func (e *insecureError) passes() bool {
	var errno syscall.Errno
	return errors.As(e.err, &errno) || errors.Is(e.err, io.ErrUnexpectedEOF) || errors.Is(e.err, context.DeadlineExceeded)
}

// isPlain reports whether the server answered with something else than TLS.
func (e *insecureError) isPlain() bool {
	_, ok := errors.AsType[tls.RecordHeaderError](e.err)
	return ok
}

func (e *insecureError) reason() string {
	refused, _ := errors.AsType[*wire.Error](e.err)
	switch {
	case refused != nil:
		return refused.Text
	case e.isPlain():
		return "the server does not encrypt"
	case errors.Is(e.err, io.ErrUnexpectedEOF):
		return "the server closed the connection"
	}
	return problem.Reason(e.err)
}

func (e *insecureError) Describe() problem.Description {
	d := problem.Description{EndsRun: true, Code: problem.ExitServer, Kind: "insecure", Hint: e.hint()}
	if refused, ok := errors.AsType[*wire.Error](e.err); ok {
		d.Kind = string(refused.Code)
	}
	return d
}

// hint says what to do, and never to go without.
func (e *insecureError) hint() string {
	var hostname x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch {
	case e.isPlain():
		return "start it with 'labnet serve --tls'"
	case errors.As(e.err, &hostname):
		return "name the server with --addr as its certificate does, or give its fingerprint with --pin"
	case errors.As(e.err, &unknown):
		return "if the server made its key by itself, give its fingerprint with --pin: it tells it when it starts"
	}
	if _, ok := errors.AsType[*wrongKey](e.err); ok {
		return "nothing was sent; ask the server's operator whether its key has changed. If not, someone may be intercepting the connection"
	}
	if _, ok := errors.AsType[*wire.Error](e.err); ok {
		return "join it with 'labnet join', or give its fingerprint with --pin, or --tls if this system trusts its certificate"
	}
	return ""
}

// encrypt begins TLS on a new connection to the server.
func (o Options) encrypt(ctx context.Context, conn net.Conn) (net.Conn, error) {
	encrypted, err := wire.Encrypt(ctx, conn, o.TLS, o.Timeout)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, &insecureError{o.Addr, err}
	}
	return encrypted, nil
}
