package commands

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// The exit codes.
const (
	exitFailed = 1 // something was not done
	exitUsage  = 2 // the command line is wrong
	exitServer = 3 // the server could not be reached, or was lost
)

// A description is what a user learns of an error. What is left zero is what
// describe says of any error.
type description struct {
	message string
	hint    string // what to do, or ""
	code    int    // to exit with
	kind    string // what programs know it by: see docs/json.md
}

// A describer is an error that describes itself, wherever it stands in a chain of
// wrapped errors.
type describer interface {
	error
	Describe() description
}

// describe says of any error what a user should read, and how to exit. Of several
// errors in a chain the outermost one that describes itself counts.
func describe(err error) description {
	var d description
	if self, ok := err.(describer); ok {
		d = self.Describe()
		d.message = cmp.Or(d.message, err.Error())
	} else {
		if inner, ok := errors.AsType[describer](err); ok {
			d = inner.Describe()
		}
		d.message = reason(err)
	}
	d.code = cmp.Or(d.code, exitFailed)
	if d.kind == "" {
		d.kind = kindOf(err)
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
type sentinel description

// newError returns an error that is described by a message, a kind and a hint.
func newError(message, kind, hint string) error {
	return &sentinel{message: message, kind: kind, hint: hint}
}

func (e *sentinel) Error() string         { return e.message }
func (e *sentinel) Describe() description { return description(*e) }

// A badUsage is an error in the command line.
type badUsage struct {
	err  error
	hint string
}

func usageError(format string, args ...any) error {
	return &badUsage{err: fmt.Errorf(format, args...)}
}

// usageErrorWithHint is usageError with what to do about it.
func usageErrorWithHint(err error, hint string) error { return &badUsage{err, hint} }

func (e *badUsage) Error() string { return e.err.Error() }
func (e *badUsage) Unwrap() error { return e.err }

func (e *badUsage) Describe() description {
	return description{message: e.Error(), code: exitUsage, kind: "usage", hint: cmp.Or(e.hint, "'labnet help' shows the commands")}
}

// An undone is the summary after errors that were shown one by one.
type undone struct {
	what string
	code int
}

func newUndone(what string, code int) error { return &undone{what, code} }

func (e *undone) Error() string         { return e.what }
func (e *undone) Describe() description { return description{code: e.code, kind: "incomplete"} }

// An itemError is an error about one of several things, whose name is shown.
type itemError struct {
	item string
	err  error
}

func onItem(item string, err error) error { return &itemError{item, err} }

func (e *itemError) Error() string { return printable(e.item) + ": " + describe(e.err).message }
func (e *itemError) Unwrap() error { return e.err }

func (e *itemError) Describe() description {
	d := describe(e.err)
	d.message = e.Error()
	return d
}

// reason shortens what the operating system says to the words that matter.
func reason(err error) string {
	if p, ok := err.(*fs.PathError); ok {
		return reason(p.Err)
	}
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host"
	case errors.As(err, &dns):
		return "cannot look up the host: " + dns.Err
	case isTimeout(err):
		return "no progress for too long"
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

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, os.ErrDeadlineExceeded) || ok && timeout.Timeout()
}
