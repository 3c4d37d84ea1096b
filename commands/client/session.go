// Package client is a conversation with a server: TLS, token, bandwidth, and how often and for
// how long to try again. It tells errors of the connection from those of the server.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/labnet/labnet/commands/bandwidth"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/wire"
)

// TokenEnv holds a token. There is no flag for it: other users of a machine can see
// the arguments of a program.
const TokenEnv = "LABNET_TOKEN"

// Options are the flags that all clients have.
type Options struct {
	Addr      string
	Others    []string // further addresses of the same server, which TLS must prove
	Timeout   time.Duration
	Lab       wire.Lab // 0: this protocol
	Scheme    wire.LabScheme
	TLS       *tls.Config      // nil: in the clear
	Token     string           // ""; if not, tls is not nil
	Bandwidth *bandwidth.Limit // nil: no limit
	// Transport connects to addr; nil does so by TCP.
	Transport func(context.Context) (net.Conn, error)
}

// Dial connects to the server, and encrypts if that was asked for. Of several addresses
// it takes the one where the server proves first that it is the right one.
func (o Options) Dial(ctx context.Context) (net.Conn, error) {
	if len(o.Others) > 0 && o.Transport == nil {
		conn, _, err := o.DialAny(ctx)
		return conn, err
	}
	transport := o.Transport
	if transport == nil {
		d := net.Dialer{Timeout: o.Timeout}
		transport = func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", o.Addr) }
	}
	conn, err := transport(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, &UnreachableError{o.Addr, err, o.Lab}
	}
	conn = limit(conn, o.Bandwidth)
	if o.TLS != nil {
		return o.encrypt(ctx, conn)
	}
	return conn, nil
}

// Local reports whether the server is on this machine, as far as its address tells.
func (o Options) Local() bool {
	host, _, err := net.SplitHostPort(o.Addr)
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

// A Session is a conversation with a server. It connects when there is
// something to say, and again after the connection was lost.
type Session struct {
	Options
	client    *wire.Client
	labClient *wire.LabClient
	labDone   int  // conversations on its connection
	reached   bool // a server that said something, or proved its identity
}

// Connect returns a client that can be used.
func (s *Session) Connect(ctx context.Context) (*wire.Client, error) {
	if s.client != nil && s.client.Err() != nil {
		s.reached = s.HasReached()
		s.Close()
	}
	if s.client == nil {
		conn, err := s.Dial(ctx)
		if err != nil {
			return nil, err
		}
		s.client = wire.NewClient(conn, s.Timeout)
		s.reached = s.reached || s.TLS != nil
		if s.Token != "" {
			if err := s.client.Authenticate(s.Token); err != nil {
				return nil, err
			}
		}
	}
	return s.client, nil
}

// HasReached reports whether there is, or was in this run, a server: what accepts
// connections and never says a word may be a forwarder in front of none.
func (s *Session) HasReached() bool {
	return s.reached || s.client != nil && s.client.Heard()
}

// Do holds one conversation.
func (s *Session) Do(ctx context.Context, talk func(*wire.Client) error) error {
	client, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	return s.Classify(ctx, talk(client))
}

// LabDo holds one conversation in the lab dialect. Only in the task that
// is about it does a connection have two.
func (s *Session) LabDo(ctx context.Context, talk func(*wire.LabClient) error) error {
	if s.labClient == nil {
		conn, err := s.Dial(ctx)
		if err != nil {
			return err
		}
		s.labClient = wire.NewLabClient(conn, s.Lab, s.Timeout)
		s.labClient.Scheme = s.Scheme
	}
	err := talk(s.labClient)
	done := s.labDone
	s.labDone++
	if err != nil || s.Lab != wire.LabExtra {
		err = errors.Join(err, s.Close())
	}
	err = s.Classify(ctx, err)
	if lost, ok := errors.AsType[*LostError](err); ok && done > 0 {
		lost.afterFile = true
	}
	return err
}

func (s *Session) Close() (err error) {
	if s.client != nil {
		err = s.client.Close()
	}
	if s.labClient != nil {
		err = s.labClient.Close()
	}
	s.client, s.labClient, s.labDone = nil, nil, 0
	return err
}

// Classify marks the errors of the connection as such.
func (o Options) Classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		if refused.Code == wire.CodeTLSRequired {
			return &insecureError{o.Addr, refused} // like everything else that one would send
		}
		return &refusedError{refused}
	}
	if source, ok := errors.AsType[*wire.SourceError](err); ok {
		return source.Err
	}
	if other, ok := errors.AsType[*wire.ForeignError](err); ok {
		return &foreignError{o.Addr, other}
	}
	if errors.Is(err, wire.ErrKept) {
		return &damagedError{err}
	}
	return &LostError{Addr: o.Addr, Err: err}
}

// An UnreachableError means that a server could not be connected to.
type UnreachableError struct {
	Addr string
	Err  error
	Lab  wire.Lab // the task of the course that was to be spoken, or 0
}

func (e *UnreachableError) Error() string {
	if problem.IsTimeout(e.Err) {
		return "connect " + e.Addr + ": no answer"
	}
	return "connect " + e.Addr + ": " + problem.Reason(e.Err)
}

func (e *UnreachableError) Describe() problem.Description {
	d := problem.Description{EndsRun: true, Code: problem.ExitServer, Kind: "unreachable", Hint: "check the address, or name another with --addr or LABNET_ADDR"}
	switch {
	case errors.Is(e.Err, syscall.ECONNREFUSED) && e.Lab >= wire.Lab4 && strings.HasSuffix(e.Addr, ":9000"):
		d.Hint = "from task 4 on, the assignment's server listens on port 9002: name it with --addr"
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		d.Hint = "start one with 'labnet serve', or name another with --addr or LABNET_ADDR"
	case problem.IsTimeout(e.Err):
		d.Hint = "check the address, and whether a firewall is in the way; --timeout sets how long to wait"
	}
	return d
}

// A LostError means that a server went away, or stopped answering, in the middle.
type LostError struct {
	Addr      string
	Err       error
	afterFile bool // of the course's extra tasks, on the same connection
}

func (e *LostError) Error() string { return "lost " + e.Addr + ": " + problem.Reason(e.Err) }
func (e *LostError) Unwrap() error { return e.Err }

func (e *LostError) Describe() problem.Description {
	d := problem.Description{Code: problem.ExitServer, Kind: "lost", Hint: "check that the server is still running; its log may say why the connection ended"}
	switch {
	case e.afterFile:
		d.Hint = "a server of task 6 takes one file for each connection: --lab 6"
	case problem.IsTimeout(e.Err) || errors.Is(e, wire.ErrSilent):
		d.Hint = "check that the server is still running; --timeout sets how long to wait for it"
	}
	return d
}

// A foreignError is about a server that does not speak this protocol.
type foreignError struct {
	addr string
	err  *wire.ForeignError
}

func (e *foreignError) Error() string {
	return fmt.Sprintf("%s is not a labnet server: it answered %q", e.addr, e.err.Got)
}

func (e *foreignError) Describe() problem.Description {
	d := problem.Description{Kind: "foreign", Hint: "check the address and the port"}
	if e.err.IsLab() {
		d.Hint = "it looks like a program of the course: choose its task with --lab"
	}
	return d
}

// A damagedError is about a file that the server kept otherwise than it was sent.
type damagedError struct{ err error }

func (e *damagedError) Error() string { return e.err.Error() }
func (e *damagedError) Unwrap() error { return e.err }

func (e *damagedError) Describe() problem.Description {
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
		return "give your token with --token-file or " + TokenEnv + ", or join the server with 'labnet join'; if you did, ask the server's operator for another"
	case wire.CodeForbidden:
		return "the server's tokens file says what each token allows"
	case wire.CodeQuota:
		return "remove files at the server, or raise max-bytes or max-files in its tokens file"
	case wire.CodeName:
		return RenameHint
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

const RenameHint = "rename it, or send it under another name with --name"
