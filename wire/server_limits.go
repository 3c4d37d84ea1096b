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
	DefaultMaxSize            = 1 << 40
	DefaultMinRate            = 1 << 10
	DefaultAuthTimeout        = 30 * time.Second
	DefaultHeaderTimeout      = 10 * time.Second
	DefaultIdleTimeout        = 5 * time.Minute
	DefaultProgressTimeout    = 30 * time.Second
)

// RateTime is over how long a rate is averaged before it is too low.
const RateTime = time.Minute

// Limits say how much clients can take of a Server. A field that is not above
// zero stands for its default: no limit is absent by accident.
//
// Limits for each address do not bind those who come from the machine itself,
// by a loopback address or a Unix socket: whoever is there can do worse, and
// proxies and tests have one address for all.
type Limits struct {
	// MaxConns is how many connections there may be. Who comes beyond is told
	// CodeBusy.
	MaxConns int
	// MaxConnsPerIP is how many may come from one IPv4 address, or from one /64
	// of IPv6. Who comes beyond is told CodeBusy.
	MaxConnsPerIP int
	// MaxUnauthenticated is how many may be at once that have not yet shown what
	// the server demands: TLS, and a token if it wants one. Beyond, the one that has waited longest is
	// closed: who means well needs but a moment, so that the others have it.
	MaxUnauthenticated int
	// MaxUploads is how many connections of one user, or of one address if the
	// server wants no tokens, may send a file or blob at the same time. Files
	// beyond are refused with CodeTooMany.
	MaxUploads int
	// MaxOpen is how many uploads there may be in the store at once beyond one of
	// each connection, be they received, published or only announced. Others
	// that are announced are accepted once it is their turn.
	MaxOpen int
	// MaxCalls is how many of Store.Create, Store.MakeFolder and Upload.Commit
	// may run at once. Others wait.
	MaxCalls int
	// MaxMessage is the most bytes of a text, at most MaxString, which is the
	// default. A longer one is refused with CodeTooLarge.
	MaxMessage int
	// MaxSize is the most bytes of one blob or file. A larger one is refused
	// with CodeTooLarge.
	MaxSize int64
	// MinRate is how many bytes of a Data must come in a second, and of a reply
	// must be taken, averaged over RateTime. Only time in which the server waits
	// for the client counts. Who is slower is told CodeTooSlow.
	MinRate int64
	// AuthTimeout is how long a client may take altogether, from being accepted,
	// to show what the server demands. HeaderTimeout is how long a message but for
	// its body may take to arrive, and a TLS handshake; IdleTimeout how long a
	// client may say nothing between messages; ProgressTimeout how long a body
	// or a reply may stand still. Who takes longer is told CodeTimeout.
	AuthTimeout, HeaderTimeout, IdleTimeout, ProgressTimeout time.Duration
}

// withDefaults returns the limits that hold.
func (l Limits) withDefaults() Limits {
	limit(&l.MaxConns, DefaultMaxConns)
	limit(&l.MaxConnsPerIP, DefaultMaxConnsPerIP)
	limit(&l.MaxUnauthenticated, DefaultMaxUnauthenticated)
	limit(&l.MaxUploads, DefaultMaxUploads)
	limit(&l.MaxOpen, DefaultMaxOpen)
	limit(&l.MaxCalls, DefaultMaxCalls)
	limit(&l.MaxMessage, MaxString)
	limit(&l.MaxSize, DefaultMaxSize)
	limit(&l.MinRate, DefaultMinRate)
	limit(&l.AuthTimeout, DefaultAuthTimeout)
	limit(&l.HeaderTimeout, DefaultHeaderTimeout)
	limit(&l.IdleTimeout, DefaultIdleTimeout)
	limit(&l.ProgressTimeout, DefaultProgressTimeout)
	return l
}

// CheckReply reports why a template for Server.Reply cannot be used under these
// limits: it has a NUL byte, or its reply to the longest text would be longer
// than MaxReply.
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
