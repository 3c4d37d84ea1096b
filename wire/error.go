package wire

import (
	"bytes"
	"errors"
	"fmt"
)

// A Code is the stable name of a reason for which a server refuses something.
type Code string

// The codes of version 1.
const (
	CodeProtocol    Code = "protocol"     // the bytes are not this protocol; the connection ends
	CodeTLSRequired Code = "tls-required" // this server requires TLS; the connection ends
	CodeDenied      Code = "denied"       // no valid token; the connection ends
	CodeForbidden   Code = "forbidden"    // the token does not give the right to that
	CodeQuota       Code = "quota"        // the user's quota is used up
	CodeUnsupported Code = "unsupported"  // a request or digest that this server does not know
	CodeName        Code = "bad-name"     // the file name breaks the rules
	CodeExists      Code = "exists"       // the name is taken and this server keeps one file a name
	CodeAbsent      Code = "absent"       // a file or folder that was to be checked is not there
	CodeDifferent   Code = "different"    // another one is there
	CodeTooLarge    Code = "too-large"    // over this server's limit for one file
	CodeTooMany     Code = "too-many"     // more files announced ahead, or sent at once, than allowed
	CodeMismatch    Code = "mismatch"     // size or digest differ from what arrived
	CodeCancelled   Code = "cancelled"    // the client cancelled the file
	CodeInUse       Code = "in-use"       // the connection sends an upload of the same ID already
	CodeSuperseded  Code = "superseded"   // another connection announced the same ID; this one ends
	CodeNoSpace     Code = "no-space"     // the store is full
	CodeReadOnly    Code = "read-only"    // the store failed and keeps nothing more
	CodeDegraded    Code = "degraded"     // the store does not work at the moment
	CodeTimeout     Code = "timeout"      // nothing was received for too long; the connection ends
	CodeTooSlow     Code = "too-slow"     // too few bytes came; the connection ends
	CodeBusy        Code = "busy"         // too many connections, or errors before; the connection ends
	CodeShutdown    Code = "shutdown"     // the server is shutting down; the connection ends
	CodeInternal    Code = "internal"     // the server failed; its log says why
)

// Codes lists those by which a Server refuses something: to say that a file is not there
// is none.
func Codes() []Code {
	return []Code{
		CodeProtocol, CodeTLSRequired, CodeDenied, CodeForbidden, CodeQuota, CodeUnsupported, CodeName, CodeExists,
		CodeTooLarge, CodeTooMany, CodeMismatch, CodeCancelled, CodeInUse, CodeSuperseded, CodeNoSpace,
		CodeReadOnly, CodeDegraded, CodeTimeout, CodeTooSlow, CodeBusy, CodeShutdown, CodeInternal,
	}
}

// Retryable reports whether the same request may soon succeed by itself.
func (c Code) Retryable() bool {
	switch c {
	case CodeTooMany, CodeInUse, CodeMismatch, CodeDegraded, CodeTimeout, CodeTooSlow, CodeBusy, CodeShutdown:
		return true
	}
	return false
}

// EndsConnection reports whether nothing can follow on the same connection.
func (c Code) EndsConnection() bool {
	switch c {
	case CodeProtocol, CodeTLSRequired, CodeDenied, CodeSuperseded, CodeTimeout, CodeTooSlow, CodeBusy, CodeShutdown:
		return true
	}
	return false
}

// An Error is a refusal in the words of the peer, or one that a Store wants the
// peer to receive.
type Error struct {
	Code Code
	// Text is for people. It may hold anything that the peer sent.
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%s)", e.Text, e.Code) }

func (e *Error) control() Control {
	const maxText = 1024 // a name quoted in the text must not make the reply too long
	return Control{Word: wordError}.with("code", string(e.Code)).with("text", TruncateText(e.Text, maxText))
}

// A SourceError means that the local side could not supply what it was to send.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return e.Err.Error() }
func (e *SourceError) Unwrap() error { return e.Err }

// A ForeignError means that the peer's answer is not of this protocol.
type ForeignError struct {
	Got []byte // its first bytes
}

func (e *ForeignError) Error() string { return fmt.Sprintf("not a labnet answer: %q", e.Got) }

// IsLab reports whether the answer looks like one of the lab dialect.
func (e *ForeignError) IsLab() bool {
	return bytes.HasPrefix(e.Got, []byte(wordOK)) || bytes.HasPrefix(e.Got, []byte("Message"))
}

var (
	// ErrNoAnswer means that the server closed the connection instead of answering.
	ErrNoAnswer = errors.New("the server closed the connection without an answer")

	// ErrSilent means that the server neither answered nor said that it is at work.
	ErrSilent = errors.New("the server did not answer in time")

	// ErrKept means that the server claims to have stored contents other than those
	// that were sent.
	ErrKept = errors.New("the server stored other bytes than were sent")

	errNoChecks = &Error{CodeUnsupported, "this server cannot check this without storing it"}
	errDiffers  = &Error{CodeDifferent, "the server has other contents under that name"}

	errFolders = &SourceError{errors.New("too many folders to tell the permissions of each")}
	errName    = &SourceError{fmt.Errorf("name is not valid UTF-8, has a NUL byte, is that of a folder or is longer than %d bytes", MaxName)}
	errID      = &SourceError{fmt.Errorf("ID has a NUL byte or is longer than %d bytes, or the source cannot be rewound", MaxID)}
	errReply   = errors.New("the server's answer does not follow the protocol")
)
