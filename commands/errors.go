package commands

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
	code    int    // to exit with
	kind    string // what programs know it by: see docs/json.md
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

func (e *unreachable) Error() string {
	if isTimeout(e.err) {
		return "connect " + e.addr + ": no answer"
	}
	return "connect " + e.addr + ": " + reason(e.err)
}

func (e *unreachable) hint() string {
	if errors.Is(e.err, syscall.ECONNREFUSED) {
		return "start one with 'labnet serve', or name another with --addr or LABNET_ADDR"
	}
	if isTimeout(e.err) {
		return "check the address, and whether a firewall is in the way; --timeout sets how long to wait"
	}
	return "check the address, or name another with --addr or LABNET_ADDR"
}

// A lost server went away, or stopped answering, in the middle.
type lost struct {
	addr string
	err  error
}

func (e *lost) Error() string { return "lost " + e.addr + ": " + reason(e.err) }
func (e *lost) Unwrap() error { return e.err }

// A foreign server is one that does not speak this protocol.
type foreign struct {
	addr string
	err  *wire.ForeignError
}

func (e *foreign) Error() string {
	return fmt.Sprintf("%s is no labnet server: it said %q", e.addr, e.err.Got)
}

// A storeError means that the folder of a store cannot be used.
type storeError struct {
	dir string
	err error
}

func (e *storeError) Error() string {
	return "store " + printable(e.dir) + ": " + describe(e.err).message
}
func (e *storeError) Unwrap() error { return e.err }

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
	d := description{message: err.Error(), code: exitFailed, kind: "failed"}
	switch e := err.(type) {
	case *itemError:
		inner := describe(e.err)
		if strings.HasPrefix(e.item, "listen ") && errors.Is(e.err, fs.ErrPermission) {
			inner.hint = "ports below 1024 may need root: choose another with --listen"
		}
		d.hint, d.code, d.kind = inner.hint, inner.code, inner.kind
	case *badUsage:
		d.code, d.hint, d.kind = exitUsage, e.hint, "usage"
		if d.hint == "" {
			d.hint = "'labnet help' shows the commands"
		}
	case *unreachable:
		d.code, d.hint, d.kind = exitServer, e.hint(), "unreachable"
	case *lost:
		d.code, d.kind = exitServer, "lost"
		if d.hint = "see whether the server still runs; --timeout sets how long to wait for it"; errors.Is(e, wire.ErrNoAnswer) {
			d.hint = "if the server is a program of the course, choose its task with --lab"
		}
	case *insecure:
		d.code, d.hint, d.kind = exitServer, e.hint(), "insecure"
		if refused, ok := errors.AsType[*wire.Error](e.err); ok {
			d.kind = string(refused.Code)
		}
	case *undone:
		d.code, d.kind = e.code, "incomplete"
	case *wire.Error:
		d.message = printableText(e.Text)
		d.hint, d.kind = refusalHint(e.Code), string(e.Code)
	case *foreign:
		d.kind, d.hint = "foreign", "check the address and the port"
		if e.err.IsLab() {
			d.hint = "it looks like a program of the course: choose its task with --lab"
		}
	case *storeError:
		d.message, d.hint = e.Error(), "choose another folder with --store, which this user may write to"
	case *sandboxError:
		d.message, d.hint = e.Error(), "with --no-sandbox it does not try"
	case *objectStoreError:
		d.message, d.hint = e.Error(), "docs/object-storage.md tells what labnet needs of an object store, and how it finds one"
	case interruption:
		d.kind = "interrupted"
	default:
		d.message = reason(err)
	}
	for _, c := range causes {
		if d.kind == "failed" && errors.Is(err, c.err) {
			d.kind, d.hint = c.kind, cmp.Or(c.hint, d.hint)
		}
	}
	if _, ok := errors.AsType[*lineError](err); ok {
		d.kind, d.hint = "failed", tokensHint
	}
	if secret, ok := errors.AsType[*exposedSecret](err); ok {
		d.kind, d.hint = "exposed-"+secret.what, secret.hint()
	}
	return d
}

// causes are errors that tell by themselves what to do, wherever they come from.
var causes = []struct {
	err        error
	kind, hint string
}{
	{wire.ErrKept, "damaged", "what it kept is damaged; send the file again under another name with --name"},
	{storage.ErrLocked, "locked", "one server at a time keeps files in a folder: choose another with --store"},
	{syscall.EADDRINUSE, "address-in-use", "another server may be running: choose another port with --listen"},
	{syscall.EADDRNOTAVAIL, "failed", "this machine does not have that address: choose another with --listen"},
	{errStalled, "failed", "what reads the receipts must go on reading; senders are not told that all is well, and send again"},
	{errNotUTF8, "bad-text", "convert it with iconv, or send it as a file with 'labnet upload -'"},
	{errNUL, "bad-text", "send it as a file with 'labnet upload -'"},
	{errBadName, string(wire.CodeName), renameHint},
	{errChanged, "changed", "send it again when nobody writes to it"},
	{errExposed, "exposed", "add --tls and --tokens FILE, or listen at 127.0.0.1; --insecure lets everybody send"},
	{errWritable, "failed", "chmod go-w it: who can write to it can make tokens"},
	{errNoUsers, "failed", tokensHint},
	{errKind, "not-a-file", ""},
	{errLoop, "loop", ""},
	{errDangling, "not-found", ""},
	{errNoStreams, "unsupported", ""},
	{errNoFolders, "unsupported", ""},
	{fs.ErrNotExist, "not-found", ""},
	{fs.ErrPermission, "permission", ""},
}

const tokensHint = "a line is NAME SHA256HEX [say,blob,upload] [max-bytes=SIZE] [dir=FOLDER]; printf %s TOKEN | sha256sum prints the second"

const renameHint = "rename it, or send it under another name with --name"

// refusalHint says what to do about a refusal of the server.
func refusalHint(code wire.Code) string {
	switch code {
	case wire.CodeDenied:
		return "give your token with --token-file or " + tokenEnv + "; if you did, ask whoever runs the server for another"
	case wire.CodeForbidden:
		return "the server's tokens file says what a token gives a right to"
	case wire.CodeQuota:
		return "have files removed at the server, or max-bytes raised in its tokens file"
	case wire.CodeName:
		return renameHint
	case wire.CodeNoSpace:
		return "free some space at the server"
	case wire.CodeReadOnly:
		return "the server's log and disk show why; if the disk failed, restart the server"
	case wire.CodeDegraded:
		return "the object store behind the server does not do its work: the server's log says why"
	case wire.CodeTooLarge:
		return "the server's --max-size and --max-message set the limits"
	case wire.CodeProtocol:
		return "one of the two may be older: compare 'labnet version' on both sides"
	case wire.CodeMismatch:
		return "the bytes were changed on their way or while they were read: send it again"
	case wire.CodeSuperseded, wire.CodeInUse:
		return "another labnet sends the same file: let it finish"
	case wire.CodeInternal:
		return "the server's log says why"
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
