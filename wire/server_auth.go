package wire

import (
	"fmt"
)

// Operations that an Identity may be permitted.
const (
	opSay    = "say"
	opBlob   = "blob"
	opUpload = "upload" // and folders
)

// An Identity is the user whose token a client has shown. Its methods are safe for
// concurrent use.
type Identity interface {
	// Name distinguishes users: in events, in the log, and where two connections
	// announce the same ID.
	Name() string
	// Valid reports whether the token is still valid. It is called for every
	// message and while contents arrive, so that a connection ends once its token
	// is revoked, unless the client is silent.
	Valid() bool
	// Permit returns the store for op, which is "say", "blob", "upload" or what
	// Handover.Permit is asked for, or an *Error with CodeForbidden. It is called for every
	// request.
	Permit(op string) (Store, error)
}

var (
	// errDenied is all that a client learns whose token is wrong, missing or
	// revoked.
	errDenied = &Error{CodeDenied, "this server requires a valid token"}

	errNoToken      = denial("it showed no token")
	errWrongToken   = denial("its token is not one of those in use")
	errRevoked      = denial("its token was revoked")
	errTokenInClear = denial("it sent a token in the clear")
)

// A denial is why a client is not admitted. Only the log says which it is.
type denial string

func (d denial) Error() string { return string(d) }
func (d denial) Unwrap() error { return errDenied }

// admit requires a valid token as the first message. Anything else is refused in
// its own dialect, and nothing of it is stored.
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

// authenticate takes a token, which must be the first message.
func (c *conn) authenticate(token string) error {
	switch {
	case c.link.tls == nil:
		return errTokenInClear // others may have read it
	case c.phase != phaseNew:
		return fmt.Errorf("%w: AUTH is not the first message", ErrControl)
	}
	if c.srv.Authenticate != nil {
		if err := c.identify(token); err != nil {
			return err
		}
	}
	c.phase = phaseGreeted
	c.markAuthenticated()
	c.out.addControl(Control{Word: wordOK})
	return nil
}

// identify notes whose token it is.
func (c *conn) identify(token string) error {
	identity, valid := Identity(nil), false
	if len(token) >= MinToken && len(token) <= MaxToken {
		identity, valid = c.srv.Authenticate(token)
	}
	if !valid {
		return errWrongToken
	}
	if err := c.countFor(identity.Name()); err != nil {
		return err
	}
	c.identity = identity
	c.log = c.log.With().Str("user", identity.Name()).Logger()
	return nil
}

// checkToken returns why the client may not request anything, or nil.
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

// permit returns the store for op, or why the client may not do it.
func (c *conn) permit(op string) (Store, error) {
	switch {
	case c.srv.Authenticate == nil:
		return c.srv.Store, nil
	case c.identity == nil:
		return nil, errNoToken
	}
	return c.identity.Permit(op)
}

// user returns the name of the client's user, or "".
func (c *conn) user() string {
	if c.identity == nil {
		return ""
	}
	return c.identity.Name()
}
