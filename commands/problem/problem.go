// Package problem is what a user learns of an error: message, hint, the kind that programs know, and
// the exit code. An error describes itself; nothing here knows the errors of other parts.
package problem

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/labnet/labnet/commands/escape"
)

// The exit codes.
const (
	ExitFailed = 1 // something was not done
	ExitUsage  = 2 // the command line is wrong
	ExitServer = 3 // the server could not be reached, or was lost
)

// A Description is what a user learns of an error. What is left zero is what
// Of says of any error.
type Description struct {
	Message string
	Hint    string // what to do, or ""
	Code    int    // to exit with
	Kind    string // what programs know it by: see docs/json.md
	EndsRun bool   // nothing else of this run can succeed either
}

// A describer is an error that describes itself, wherever it stands in a chain of
// wrapped errors.
type describer interface {
	error
	Describe() Description
}

// Of says of any error what a user should read, and how to exit. Of several
// errors in a chain the outermost one that describes itself counts.
func Of(err error) Description {
	var d Description
	if self, ok := err.(describer); ok {
		d = self.Describe()
		d.Message = cmp.Or(d.Message, err.Error())
	} else {
		if inner, ok := errors.AsType[describer](err); ok {
			d = inner.Describe()
		}
		d.Message = Reason(err)
	}
	d.Code = cmp.Or(d.Code, ExitFailed)
	if d.Kind == "" {
		d.Kind = kindOf(err)
	}
	return d
}

// kindOf is what programs know an error of the operating system by.
func kindOf(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "not-found"
	case errors.Is(err, fs.ErrPermission):
		return "permission"
	}
	return "failed"
}

// A sentinel is an error that is always the same, and says what to do.
type sentinel Description

// New returns an error that is described by a message, a kind and a hint.
func New(message, kind, hint string) error {
	return &sentinel{Message: message, Kind: kind, Hint: hint}
}

func (e *sentinel) Error() string         { return e.Message }
func (e *sentinel) Describe() Description { return Description(*e) }

// A UsageError is an error in the command line.
type UsageError struct {
	Err  error
	Hint string
}

// Usage returns an error in the command line, which is formatted as by fmt.Errorf.
func Usage(format string, args ...any) error {
	return &UsageError{Err: fmt.Errorf(format, args...)}
}

// UsageHint is Usage with what to do about it.
func UsageHint(err error, hint string) error { return &UsageError{err, hint} }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

func (e *UsageError) Describe() Description {
	return Description{Message: e.Error(), Code: ExitUsage, Kind: "usage", Hint: cmp.Or(e.Hint, "'labnet help' shows the commands")}
}

// An UndoneError is the summary after errors that were shown one by one.
type UndoneError struct {
	what string
	code int
}

// Undone returns an error that sums up others, and exits with code.
func Undone(what string, code int) error { return &UndoneError{what, code} }

func (e *UndoneError) Error() string         { return e.what }
func (e *UndoneError) Describe() Description { return Description{Code: e.code, Kind: "incomplete"} }

// An ItemError is an error about one of several things, whose name is shown.
type ItemError struct {
	item string
	Err  error
}

// Item returns an error about one of several things.
func Item(item string, err error) error { return &ItemError{item, err} }

func (e *ItemError) Error() string { return escape.Name(e.item) + ": " + Of(e.Err).Message }
func (e *ItemError) Unwrap() error { return e.Err }

func (e *ItemError) Describe() Description {
	d := Of(e.Err)
	d.Message = e.Error()
	return d
}

// Reason shortens what the operating system says to the words that matter.
func Reason(err error) string {
	if p, ok := err.(*fs.PathError); ok {
		return Reason(p.Err)
	}
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host"
	case errors.As(err, &dns):
		return "cannot look up the host: " + dns.Err
	case IsTimeout(err):
		return "no progress for too long"
	case errors.Is(err, syscall.ENOTCONN): // which is what shutdown(2) says after a reset
		return syscall.ECONNRESET.Error()
	case errors.As(err, &op):
		var errno syscall.Errno
		if errors.As(op.Err, &errno) {
			return errno.Error()
		}
		return op.Err.Error()
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return "the connection was closed"
	case err == fs.ErrNotExist, err == syscall.ENOENT:
		return "no such file"
	}
	return err.Error()
}

// IsTimeout reports whether time ran out on the network, or for a file.
func IsTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, os.ErrDeadlineExceeded) || ok && timeout.Timeout()
}

// DidYouMean is a hint at what may have been meant, or "" without any.
func DidYouMean(words ...string) string {
	if len(words) == 0 || words[0] == "" {
		return ""
	}
	return "did you mean " + strings.Join(words, " or ") + "?"
}
