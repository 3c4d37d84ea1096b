package wire

import (
	"fmt"
)

// What an Identity has rights to.
const (
	opSay    = "say"
	opBlob   = "blob"
	opUpload = "upload" // and folders
)

// An Identity is whose token a client has shown. Its methods are called by many
// goroutines at once.
type Identity interface {
	// Name tells users apart, in events, in the log, and where two connections
	// announce the same ID.
	Name() string
	// Valid reports whether the token still is. It is asked at every message and
	// while contents arrive, so that a connection does not outlive its token
	// for longer than it is silent.
	Valid() bool
	// Permit returns where to keep what op brings, which is "say", "blob" or
	// "upload", or an *Error of CodeForbidden. It is asked at every request.
	Permit(op string) (Store, error)
}

var (
	// errDenied is all that is told to a client whose token is wrong, missing or
	// revoked.
	errDenied = &Error{CodeDenied, "this server requires a valid token"}

	errNoToken      = denial("it showed no token")
	errWrongToken   = denial("its token is not one of those in use")
	errRevoked      = denial("its token was revoked")
	errTokenInClear = denial("it sent a token in the clear")
)

// A denial is why a client is not let in, which only the log is told.
type denial string

func (d denial) Error() string { return string(d) }
func (d denial) Unwrap() error { return errDenied }

// admit lets nobody pass who does not begin with a valid token. Whatever else
// begins a connection is refused in its own dialect, and nothing of it is kept.
func (c *conn) admit(first byte) error {
	if err := c.recognise(first); err != nil {
		return err
	}
	if first != typeString || c.bare {
		return errNoToken
	}
	if err := c.message(); err != nil && !isProtocol(err) {
		return err
	}
	if c.identity == nil {
		return errNoToken
	}
	return nil
}

// authenticate takes the token with which a client may begin.
func (c *conn) authenticate(token string) error {
	switch {
	case c.link.tls == nil:
		return errTokenInClear // anybody may have read it
	case c.phase != phaseNew:
		return fmt.Errorf("%w: AUTH is not the first message", ErrControl)
	}
	if c.srv.Authenticate != nil {
		identity, valid := Identity(nil), false
		if len(token) >= MinToken && len(token) <= MaxToken {
			identity, valid = c.srv.Authenticate(token)
		}
		if !valid {
			return errWrongToken
		}
		c.identity = identity
		c.log = c.log.With().Str("user", identity.Name()).Logger()
	}
	c.phase = phaseGreeted
	c.markAuthenticated()
	c.out.addControl(Control{Word: wordOK})
	return nil
}

// checkToken reports why the client may not ask for anything, or returns nil.
func (c *conn) checkToken() error {
	switch {
	case c.srv.Authenticate == nil:
	case c.identity == nil:
		return errNoToken
	case !c.identity.Valid():
		return errRevoked
	}
	return nil
}

// permit returns where to keep what op brings, or why the client may not do it.
func (c *conn) permit(op string) (Store, error) {
	switch {
	case c.srv.Authenticate == nil:
		return c.srv.Store, nil
	case c.identity == nil:
		return nil, errNoToken
	}
	return c.identity.Permit(op)
}

// user is whose token the client has shown, or "".
func (c *conn) user() string {
	if c.identity == nil {
		return ""
	}
	return c.identity.Name()
}
