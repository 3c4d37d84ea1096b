package client

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
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

// checkPin compares the key of a server with the one that it must have. That
// the server has the other half of it, the handshake proves.
func checkPin(want []byte, cert *x509.Certificate) error {
	got := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	if subtle.ConstantTimeCompare(got[:], want) != 1 {
		return &wrongKey{got: wire.Fingerprint(cert), want: wire.FingerprintPrefix + hex.EncodeToString(want)}
	}
	return nil
}

// A wrongKey is that of a server which is not the one that was meant.
type wrongKey struct{ got, want string }

func (e *wrongKey) Error() string {
	return fmt.Sprintf("the server's key is %s, and not the pinned %s", e.got, e.want)
}

// parseFingerprint reads a fingerprint in each of the ways that programs write the
// SHA-256 of a key: in hexadecimal as wire.Fingerprint does, with colons as openssl, in
// base64 as curl's --pinnedpubkey.
func parseFingerprint(s string) ([]byte, error) {
	digits := strings.TrimSpace(s)
	if n := len(wire.FingerprintPrefix); len(digits) >= n && strings.EqualFold(digits[:n], wire.FingerprintPrefix) {
		digits = digits[n:]
	}
	if encoded, ok := strings.CutPrefix(digits, "sha256//"); ok {
		if sum, err := base64.StdEncoding.DecodeString(encoded); err == nil && len(sum) == sha256.Size {
			return sum, nil
		}
	}
	digits = strings.ReplaceAll(digits, ":", "")
	sum, err := hex.DecodeString(digits)
	switch {
	case err == nil && len(sum) == sha256.Size:
		return sum, nil
	case digits != "" && strings.Trim(strings.ToLower(digits), "0123456789abcdef") == "":
		return nil, fmt.Errorf("%q has %s, not 64", s, terminal.Counted(len(digits), "hexadecimal digit", "hexadecimal digits"))
	}
	return nil, fmt.Errorf("%q is not a fingerprint: 64 hexadecimal digits", s)
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
