package wire

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Defaults of Limits.
const (
	DefaultMaxConns           = 4096
	DefaultMaxConnsPerIP      = 256
	DefaultMaxUnauthenticated = 512
	DefaultMaxUploads         = 128
	DefaultMaxOpen            = 8192
	DefaultMaxCalls           = 1024
	DefaultMaxAhead           = 8192
	DefaultMaxSize            = 1 << 40
	DefaultMinRate            = 1 << 10
	DefaultAuthTimeout        = 30 * time.Second
	DefaultHeaderTimeout      = 10 * time.Second
	DefaultIdleTimeout        = 5 * time.Minute
	DefaultProgressTimeout    = 30 * time.Second
)

// RateTime is the time over which a rate is averaged.
const RateTime = time.Minute

// Limits say how much of a Server clients can use. A field that is zero or less
// means its default, so that no limit is absent by accident.
//
// Limits per address do not apply to clients on the same machine, which come from
// a loopback address or a Unix socket: they could do worse, and proxies and tests
// have one address for everyone.
type Limits struct {
	// MaxConns is the most connections at the same time. Further ones are refused
	// with CodeBusy.
	MaxConns int
	// MaxConnsPerIP is the most connections from one IPv4 address, or from one /64
	// of IPv6. Further ones are refused with CodeBusy.
	MaxConnsPerIP int
	// MaxConnsPerUser is the most connections of one user, if the server requires tokens.
	// Further ones are refused with CodeBusy. The default is a quarter of MaxConns.
	MaxConnsPerUser int
	// MaxUnauthenticated is the most connections that have not yet finished TLS,
	// and shown a token if the server requires one. For a further one the oldest of
	// them is evicted: an honest client needs only a moment.
	MaxUnauthenticated int
	// MaxUploads is the most connections of one user, or of one address if the
	// server requires no tokens, that may send a file or blob at the same time.
	// Files on further ones are refused with CodeTooMany.
	MaxUploads int
	// MaxOpen is the most uploads in progress in the store, not counting one per
	// connection, whether they are being received, published or only announced.
	// Further ones are accepted once it is their turn.
	MaxOpen int
	// MaxCalls is the most calls of Store.Create, Store.MakeFolder and
	// Upload.Commit at the same time. Further ones wait.
	MaxCalls int
	// MaxAhead is the most files that a connection may be told that it may announce
	// ahead, if it is more than the constant MaxAhead, which all may. All connections
	// together are told up to four times as many.
	MaxAhead int
	// MaxMessage is the most bytes of a text, at most MaxString, which is the
	// default. A longer one is refused with CodeTooLarge.
	MaxMessage int
	// MaxSize is the most bytes of one blob or file. A larger one is refused
	// with CodeTooLarge.
	MaxSize int64
	// MinRate is how many bytes a second of a Data must arrive, and of a reply be
	// received, averaged over RateTime. Only time in which the server waits for the
	// client counts. Slower connections end with CodeTooSlow.
	MinRate int64
	// AuthTimeout is how long TLS and a token may take together, from the start of
	// the connection. HeaderTimeout is how long a message without its body may take
	// to arrive, and a TLS handshake; IdleTimeout how long a client may be silent
	// between messages; ProgressTimeout how long a body or a reply may stall. After
	// that the connection ends with CodeTimeout.
	AuthTimeout, HeaderTimeout, IdleTimeout, ProgressTimeout time.Duration
}

// withDefaults returns the limits that apply.
func (l Limits) withDefaults() Limits {
	limit(&l.MaxConns, DefaultMaxConns)
	limit(&l.MaxConnsPerIP, DefaultMaxConnsPerIP)
	limit(&l.MaxConnsPerUser, (l.MaxConns+3)/4)
	limit(&l.MaxUnauthenticated, DefaultMaxUnauthenticated)
	limit(&l.MaxUploads, DefaultMaxUploads)
	limit(&l.MaxOpen, DefaultMaxOpen)
	limit(&l.MaxCalls, DefaultMaxCalls)
	limit(&l.MaxAhead, DefaultMaxAhead)
	limit(&l.MaxMessage, MaxString)
	limit(&l.MaxSize, DefaultMaxSize)
	limit(&l.MinRate, DefaultMinRate)
	limit(&l.AuthTimeout, DefaultAuthTimeout)
	limit(&l.HeaderTimeout, DefaultHeaderTimeout)
	limit(&l.IdleTimeout, DefaultIdleTimeout)
	limit(&l.ProgressTimeout, DefaultProgressTimeout)
	return l
}

// CheckReply returns why a template for Server.Reply cannot be used under these
// limits, or nil: it contains a NUL byte, or its reply to the longest text would be
// longer than MaxReply.
func (l Limits) CheckReply(template string) error {
	template = strings.ToValidUTF8(template, "\uFFFD")
	if IsControl(template) {
		return errors.New("a reply has no NUL byte")
	}
	most, times := l.withDefaults().MaxMessage, strings.Count(template, "{}")
	if longest := len(template) + times*(most-len("{}")); longest > MaxReply {
		return fmt.Errorf("the reply to a message of %d bytes would have %d bytes, and %d is the limit", most, longest, MaxReply)
	}
	return nil
}

func limit[T int | int64 | time.Duration](v *T, standard T) {
	if *v <= 0 {
		*v = standard
	}
}
