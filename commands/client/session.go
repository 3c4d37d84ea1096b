package commands

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/wire"
)

// TokenEnv holds a token. There is no flag for it: other users of a machine can see
// the arguments of a program.
const TokenEnv = "LABNET_TOKEN"

// clientOptions are the flags that all clients have.
type clientOptions struct {
	addr      string
	timeout   time.Duration
	lab       wire.Lab    // 0: this protocol
	tls       *tls.Config // nil: in the clear
	token     string      // ""; if not, tls is not nil
	bandwidth *bandwidth  // nil: no limit
	// transport connects to addr; nil does so by TCP.
	transport func(context.Context) (net.Conn, error)
}

// dial connects to the server, and encrypts if that was asked for.
func (o clientOptions) dial(ctx context.Context) (net.Conn, error) {
	transport := o.transport
	if transport == nil {
		d := net.Dialer{Timeout: o.timeout}
		transport = func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", o.addr) }
	}
	conn, err := transport(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, &unreachable{o.addr, err}
	}
	conn = o.bandwidth.limit(conn)
	if o.tls != nil {
		return o.encrypt(ctx, conn)
	}
	return conn, nil
}

// local reports whether the server is on this machine, as far as its address tells.
func (o clientOptions) local() bool {
	host, _, err := net.SplitHostPort(o.addr)
	if err != nil {
		return false
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	ips, err := net.LookupIP(host)
	return err == nil && slices.ContainsFunc(ips, func(ip net.IP) bool {
		return ip.IsLoopback() || ip.IsUnspecified() || slices.ContainsFunc(own, func(a net.Addr) bool {
			n, ok := a.(*net.IPNet)
			return ok && n.IP.Equal(ip)
		})
	})
}

// A session is a conversation with a server. It connects when there is
// something to say, and anew after the connection was lost.
type session struct {
	clientOptions
	client    *wire.Client
	labClient *wire.LabClient
	reached   bool // a server that said something, or proved its identity
}

// connect returns a client that can be used.
func (s *session) connect(ctx context.Context) (*wire.Client, error) {
	if s.client != nil && s.client.Err() != nil {
		s.reached = s.hasReached()
		s.close()
	}
	if s.client == nil {
		conn, err := s.dial(ctx)
		if err != nil {
			return nil, err
		}
		s.client = wire.NewClient(conn, s.timeout)
		s.reached = s.reached || s.tls != nil
		if s.token != "" {
			if err := s.client.Authenticate(s.token); err != nil {
				return nil, err
			}
		}
	}
	return s.client, nil
}

// hasReached reports whether there is, or was in this run, a server: what accepts
// connections and never says a word may be a forwarder in front of none.
func (s *session) hasReached() bool {
	return s.reached || s.client != nil && s.client.Heard()
}

// do holds one conversation.
func (s *session) do(ctx context.Context, talk func(*wire.Client) error) error {
	client, err := s.connect(ctx)
	if err != nil {
		return err
	}
	return s.classify(ctx, talk(client))
}

// labDo holds one conversation in the lab dialect. But for the task that is
// about it, no connection has two.
func (s *session) labDo(ctx context.Context, talk func(*wire.LabClient) error) error {
	if s.labClient == nil {
		conn, err := s.dial(ctx)
		if err != nil {
			return err
		}
		s.labClient = wire.NewLabClient(conn, s.lab, s.timeout)
	}
	err := talk(s.labClient)
	if err != nil || s.lab != wire.LabExtra {
		err = errors.Join(err, s.close())
	}
	return s.classify(ctx, err)
}

func (s *session) close() (err error) {
	if s.client != nil {
		err = s.client.Close()
	}
	if s.labClient != nil {
		err = s.labClient.Close()
	}
	s.client, s.labClient = nil, nil
	return err
}

// classify marks the errors of the connection as such.
func (o clientOptions) classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		if refused.Code == wire.CodeTLSRequired {
			return &insecure{o.addr, refused} // like everything else that one would send
		}
		return &refusedError{refused}
	}
	if source, ok := errors.AsType[*wire.SourceError](err); ok {
		return source.Err
	}
	if other, ok := errors.AsType[*wire.ForeignError](err); ok {
		return &foreign{o.addr, other}
	}
	if errors.Is(err, wire.ErrKept) {
		return &damaged{err}
	}
	return &lost{o.addr, err}
}

// An unreachable server could not be connected to.
type unreachable struct {
	addr string
	err  error
}

func (e *unreachable) Error() string {
	if problem.IsTimeout(e.err) {
		return "connect " + e.addr + ": no answer"
	}
	return "connect " + e.addr + ": " + problem.Reason(e.err)
}

func (e *unreachable) Describe() problem.Description {
	d := problem.Description{EndsRun: true, Code: problem.ExitServer, Kind: "unreachable", Hint: "check the address, or name another with --addr or LABNET_ADDR"}
	switch {
	case errors.Is(e.err, syscall.ECONNREFUSED):
		d.Hint = "start one with 'labnet serve', or name another with --addr or LABNET_ADDR"
	case problem.IsTimeout(e.err):
		d.Hint = "check the address, and whether a firewall is in the way; --timeout sets how long to wait"
	}
	return d
}

// A lost server went away, or stopped answering, in the middle.
type lost struct {
	addr string
	err  error
}

func (e *lost) Error() string { return "lost " + e.addr + ": " + problem.Reason(e.err) }
func (e *lost) Unwrap() error { return e.err }

func (e *lost) Describe() problem.Description {
	d := problem.Description{Code: problem.ExitServer, Kind: "lost", Hint: "check that the server is still running; its log may say why the connection ended"}
	if problem.IsTimeout(e.err) || errors.Is(e, wire.ErrSilent) {
		d.Hint = "check that the server is still running; --timeout sets how long to wait for it"
	}
	return d
}

// A foreign server is one that does not speak this protocol.
type foreign struct {
	addr string
	err  *wire.ForeignError
}

func (e *foreign) Error() string {
	return fmt.Sprintf("%s is not a labnet server: it answered %q", e.addr, e.err.Got)
}

func (e *foreign) Describe() problem.Description {
	d := problem.Description{Kind: "foreign", Hint: "check the address and the port"}
	if e.err.IsLab() {
		d.Hint = "it looks like a program of the course: choose its task with --lab"
	}
	return d
}

// A damaged file is one that the server kept otherwise than it was sent.
type damaged struct{ err error }

func (e *damaged) Error() string { return e.err.Error() }
func (e *damaged) Unwrap() error { return e.err }

func (e *damaged) Describe() problem.Description {
	return problem.Description{Kind: "damaged", Hint: "the stored file is damaged; send it again under another name with --name"}
}

// A refusedError is what a server answered in place of doing what it was asked for.
type refusedError struct{ err *wire.Error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

func (e *refusedError) Describe() problem.Description {
	return problem.Description{Message: escape.Text(e.err.Text), Kind: string(e.err.Code), Hint: e.hint(), EndsRun: e.err.Code == wire.CodeDenied}
}

// hint says what to do about the refusal.
func (e *refusedError) hint() string {
	switch e.err.Code {
	case wire.CodeDenied:
		return "give your token with --token-file or " + TokenEnv + "; if you did, ask the server's operator for another"
	case wire.CodeForbidden:
		return "the server's tokens file says what each token allows"
	case wire.CodeQuota:
		return "remove files at the server, or raise max-bytes in its tokens file"
	case wire.CodeName:
		return renameHint
	case wire.CodeNoSpace:
		return "free some space at the server"
	case wire.CodeReadOnly:
		return "the server's log and disk show why; if the disk failed, restart the server"
	case wire.CodeDegraded:
		return "the server's storage does not work at the moment: the server's log says why"
	case wire.CodeTooLarge:
		return "the server's --max-size and --max-message set the limits"
	case wire.CodeProtocol:
		return "one of the two may be older: compare 'labnet version' on both sides"
	case wire.CodeMismatch:
		return "the bytes were changed in transit or while they were read: send it again"
	case wire.CodeSuperseded, wire.CodeInUse:
		return "another labnet is sending the same file: let it finish"
	case wire.CodeInternal:
		return "the server's log says why"
	case wire.CodeExists:
		return "send it under another name with --name, or change the server's --on-conflict"
	}
	if e.err.Code.Retryable() {
		return laterHint
	}
	return ""
}

const laterHint = "the same may succeed later"

const renameHint = "rename it, or send it under another name with --name"
