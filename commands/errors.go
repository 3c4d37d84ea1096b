package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// The exit codes.
const (
	exitFailed = 1 // something was not done
	exitUsage  = 2 // the command line is wrong
	exitServer = 3 // the server could not be reached, or was lost
)

// A description is what a user learns of an error.
type description struct {
	message string
	hint    string // what to do, or ""
	code    int
}

// A badUsage is an error in the command line.
type badUsage struct {
	err  error
	hint string
}

func (e *badUsage) Error() string { return e.err.Error() }
func (e *badUsage) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &badUsage{err: fmt.Errorf(format, args...)}
}

// An unreachable server could not be connected to.
type unreachable struct {
	addr string
	err  error
}

func (e *unreachable) Error() string { return "connect " + e.addr + ": " + reason(e.err) }

// A lost server went away, or stopped answering, in the middle.
type lost struct {
	addr string
	err  error
}

func (e *lost) Error() string { return "lost " + e.addr + ": " + reason(e.err) }
func (e *lost) Unwrap() error { return e.err }

// An undone is the summary after errors that were shown one by one.
type undone struct {
	what string
	code int
}

func (e *undone) Error() string { return e.what }

// An itemError is an error about one of several things, whose name is shown.
type itemError struct {
	item string
	err  error
}

func (e *itemError) Error() string { return printable(e.item) + ": " + describe(e.err).message }
func (e *itemError) Unwrap() error { return e.err }

// describe says of any error what a user should read, and how to exit. It is
// the only place that knows.
func describe(err error) description {
	d := description{message: err.Error(), code: exitFailed}
	switch e := err.(type) {
	case *itemError:
		inner := describe(e.err)
		d.hint, d.code = inner.hint, inner.code
	case *badUsage:
		d.code, d.hint = exitUsage, e.hint
		if d.hint == "" {
			d.hint = "'labnet help' shows the commands, 'labnet help COMMAND' the flags of one"
		}
	case *unreachable:
		d.code = exitServer
		d.hint = "start one with 'labnet serve', or name another with --addr or LABNET_ADDR"
	case *lost:
		d.code = exitServer
		if errors.Is(e, wire.ErrNoAnswer) {
			d.hint = "if the server is a program of the course, choose its task with --lab"
		}
	case *undone:
		d.code = e.code
	case *wire.Error:
		d.message = printableText(e.Text)
		d.hint = refusalHint(e.Code)
	case *wire.ForeignError:
		d.message = "the server does not speak this protocol: " + e.Error()
		if e.IsLab() {
			d.hint = "it looks like a program of the course: choose its task with --lab"
		} else {
			d.hint = "check the address and the port"
		}
	default:
		d.message = reason(err)
	}
	switch {
	case errors.Is(err, wire.ErrKept):
		d.hint = "what it kept is damaged; send the file again under another name with --name"
	case errors.Is(err, storage.ErrLocked):
		d.hint = "one server at a time keeps files in a folder: choose another with --store"
	case errors.Is(err, syscall.EADDRINUSE):
		d.hint = "another server may be running: choose another port with --listen"
	}
	return d
}

// refusalHint says what to do about a refusal of the server.
func refusalHint(code wire.Code) string {
	switch code {
	case wire.CodeName:
		return "send it under another name with --name"
	case wire.CodeNoSpace:
		return "free some space at the server"
	case wire.CodeReadOnly:
		return "the server's log and disk show why; if the disk failed, restart the server"
	case wire.CodeTooLarge:
		return "the server's --max-size sets the limit"
	case wire.CodeExists:
		return "send it under another name with --name, or change the server's --on-conflict"
	}
	if code.Retryable() {
		return "the same may succeed later"
	}
	return ""
}

// reason shortens what the operating system says to the words that matter.
func reason(err error) string {
	if p, ok := err.(*fs.PathError); ok {
		return reason(p.Err)
	}
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "no such host"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no progress for too long"
	case errors.As(err, &op):
		var errno syscall.Errno
		if errors.As(op.Err, &errno) {
			return errno.Error()
		}
		return op.Err.Error()
	case err == fs.ErrNotExist, err == syscall.ENOENT:
		return "no such file"
	}
	return err.Error()
}
