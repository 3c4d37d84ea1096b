package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// DefaultReply is the Reply of a Server that has none set.
const DefaultReply = "Message: {}"

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("wire: server closed")

// A Server holds conversations with clients. Its fields must not change once Serve
// was called. Its methods are safe for concurrent use.
type Server struct {
	// Store stores blobs and files. It must be set.
	Store Store
	// Reply is the answer to a text, with "{}" in place of that text. Empty means
	// DefaultReply. Serve fails if Limits.CheckReply does not accept it.
	Reply string
	// Lab makes the server speak one task of the course and nothing else. With its
	// zero value the server speaks this protocol and recognises the lab dialect.
	Lab Lab
	// Scheme is how sizes and names are written if Lab is set. With its zero value the
	// server also recognises a size of 4 bytes behind a type of 2, and sizes that are
	// big-endian, and refuses what fits neither.
	Scheme LabScheme
	// Certificate, if set, makes the server require TLS 1.3, and returns the
	// certificate and key for a handshake. It is called concurrently. The course
	// does not use TLS: with Lab, Serve fails.
	Certificate func() (*tls.Certificate, error)
	// Authenticate, if set, makes the server require a valid token as the first
	// message. It returns the user whose token it is. It is called concurrently, and
	// its duration must not depend on how much of a token is right. Without
	// Certificate, Serve fails.
	Authenticate func(token string) (Identity, bool)
	// HTTP, if set, takes over the connections that begin with an HTTP request, and
	// serves each to its end; see Handover.Admit. Without it, and with Lab, such requests
	// are refused. It is called concurrently.
	HTTP func(*Handover)
	// HTTPOnly has the server take nothing but such requests.
	HTTPOnly bool
	// Limits say how much of the server clients can use.
	Limits
	// Received, if set, is called for everything that is received, after it was
	// committed and before the client is answered. It is called concurrently, also
	// for files of the same connection.
	Received func(Event)
	// Refused, if set, is called for everything that is refused, before the client is
	// told, and Ended once a connection has ended that was admitted. They are called
	// concurrently.
	Refused func(Refusal)
	Ended   func(Spoken)
	// Log gets one line for everything that is received, a few for an upload that
	// takes long, and one for each connection that ends badly and for each refusal.
	// If there are many of the latter, only some are logged, with the number of
	// those suppressed. Its zero value is silent.
	Log zerolog.Logger

	// Set by begin, before the first connection.
	once   sync.Once
	limits Limits        // with defaults
	reply  string        // likewise, and valid UTF-8
	calls  chan struct{} // full while MaxCalls of the store run

	// Safe for concurrent use.
	connLog   throttle // for lines about connections that are refused
	errorLog  throttle // for lines about errors of clients
	uploadLog uploadLog
	held      atomic.Int64 // bytes of answers, see maxHeld
	tlsOnce   sync.Once
	tls       *tls.Config    // shared by all connections, because it holds the key of session tickets
	running   sync.WaitGroup // connections; none is added once closing is set

	mu sync.Mutex
	// Guarded by mu.
	closing     bool
	listeners   map[net.Listener]struct{}
	conns       map[*conn]struct{}
	admitted    admissions
	sharedSlots int // of files, not counting one per connection
	windows     int // how many files connections were told that they may announce ahead
	claims      map[claimKey]*claim
}

// An Event is something that a Server has received.
type Event struct {
	Op     string // "ping", "say", "blob", "upload" or "folder"
	Remote string // address and port of the client
	Lab    bool
	// User is the name of the client's user; empty without Authenticate.
	User string
	// Text is the text of a "say".
	Text string
	// Name, Path and the rest describe what was stored.
	Name      string
	Path      string
	Size      *int64
	Digest    Digest
	Sum       []byte // the digest's value
	Unchanged bool
	Compared  Comparison // how it was found to be unchanged
	// Took is the time from the first byte of the contents until it was safe, and
	// Resumed how many bytes an earlier upload had sent.
	Took    time.Duration
	Resumed int64
}

func orDefault[T comparable](v, standard T) T {
	var zero T
	if v == zero {
		return standard
	}
	return v
}

// Serve accepts connections from l until Shutdown or Close, and then returns
// ErrServerClosed once the last of them has ended. It closes l.
func (s *Server) Serve(l net.Listener) error {
	var accepted sync.WaitGroup
	defer accepted.Wait()
	defer l.Close()
	if s.Lab != 0 && s.Certificate != nil {
		return errors.New("wire: the tasks of the course know no TLS")
	}
	if s.Authenticate != nil && s.Certificate == nil {
		return errors.New("wire: tokens are for TLS")
	}
	if err := s.Limits.CheckReply(s.Reply); err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	s.once.Do(s.begin)
	if !s.addListener(l) {
		return ErrServerClosed
	}
	var delay time.Duration
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.isClosing() {
				return ErrServerClosed
			}
			if !isTemporary(err) {
				return err
			}
			// Out of descriptors or memory: waiting frees some, spinning does not.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			s.Log.Warn().Err(err).Dur("retry_in_ms", delay).Msg("cannot accept")
			time.Sleep(delay)
			continue
		}
		delay = 0
		if !s.accept(nc, func(c *conn) { accepted.Go(c.run) }) {
			return ErrServerClosed
		}
	}
}

// begin prepares for the first connection.
func (s *Server) begin() {
	s.limits = s.Limits.withDefaults()
	s.reply = strings.ToValidUTF8(orDefault(s.Reply, DefaultReply), "\uFFFD")
	s.calls = make(chan struct{}, s.limits.MaxCalls)
	s.connLog = throttle{burst: 1, interval: 10 * time.Second}
	s.errorLog = throttle{burst: 100, interval: time.Second / 2}
}

// isTemporary reports whether accepting may work again later.
func isTemporary(err error) bool {
	var ne net.Error
	//lint:ignore SA1019 net/http's server asks the same: for Accept it means what it says
	return errors.As(err, &ne) && ne.Temporary()
}

func (s *Server) addListener(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if s.listeners == nil {
		s.listeners = map[net.Listener]struct{}{}
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Shutdown stops accepting, closes the connections that wait for a message, lets
// the others finish what they are doing, and returns when all have ended, or with
// ctx's error. Close ends those that remain.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop(func(c *conn) bool { return c.activity == idle && c.out.isEmpty() })
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close stops accepting and closes every connection at once. What is already
// being published is still published.
func (s *Server) Close() error {
	s.stop(func(*conn) bool { return true })
	return nil
}

// stop closes all listeners and the chosen connections.
func (s *Server) stop(chosen func(*conn) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		if chosen(c) {
			c.cancel(net.ErrClosed)
			c.link.Close()
		}
	}
}
