package wire

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
	"unicode/utf8"
)

// errHandedOver ends a connection that another protocol has been spoken on.
var errHandedOver = fmt.Errorf("handed over: %w", net.ErrClosed)

// A Handover is a connection on which a client speaks HTTP. What the client asks for
// there goes through the same limits, rights, store, log and events as a request of
// this protocol. Its methods are for one goroutine at a time, except those of Conn.
type Handover struct {
	c         *conn
	answering bool // a request
}

// handOver has Server.HTTP serve the connection to its end.
func (c *conn) handOver() error {
	c.handedOver = true
	c.link.clearLimits()
	b, _ := c.r.Peek(c.r.Buffered())
	c.link.unread = append([]byte(nil), b...)
	c.releaseBuffer()
	c.srv.HTTP(&Handover{c: c})
	return errHandedOver
}

// A HalfCloser is a connection whose two streams can end separately, so that the last
// answer is not lost with what the client still sends.
type HalfCloser interface {
	net.Conn
	CloseWrite() error
}

// Conn is the connection, with what was received of it so far still to be read. A read
// is limited by its deadlines alone, a write also by ProgressTimeout and MinRate.
func (h *Handover) Conn() HalfCloser { return handedConn{&h.c.link, h} }

type handedConn struct {
	*link
	of *Handover
}

// Close ends TLS properly, if there is any. After an answer that came before the end of
// its request it reads on for a while: most programs read nothing before they have sent
// everything, and would find their connection reset in place of the answer.
func (c handedConn) Close() error {
	if c.of.answering {
		c.of.linger()
	}
	c.closeNotify()
	return c.link.Close()
}

func (c handedConn) CloseWrite() error { return c.closeWrite() }

// linger reads what the client still sends. Who may send nothing gets less time.
func (h *Handover) linger() {
	c := h.c
	mayNot := c.rejection != nil || c.srv.Authenticate != nil && c.identity == nil
	total := c.srv.limits.ProgressTimeout
	if closing := h.SetIdle(true); closing || mayNot {
		total = lingerTime
	}
	if c.link.closeWrite() == nil {
		c.link.drop(lingerTime, total)
	}
}

// TLS returns the state of TLS, or nil in the clear.
func (h *Handover) TLS() *tls.ConnectionState {
	if h.c.link.tls == nil {
		return nil
	}
	state := h.c.link.tls.ConnectionState()
	return &state
}

// SetIdle tells whether the client is waited for: Shutdown closes the connection then.
// It reports whether the server is shutting down, so that the connection must end after
// the next answer.
func (h *Handover) SetIdle(waiting bool) (closing bool) {
	s := h.c.srv
	if waiting {
		h.answering = false
		h.c.stopUploading()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h.c.activity = active
	if waiting {
		h.c.activity = idle
	}
	return s.closing
}

// LimitBody has the rest of a request arrive within ProgressTimeout, unless a Receiving
// reads it, which may take longer. It must be called for every request.
func (h *Handover) LimitBody() {
	h.c.link.SetReadDeadline(time.Now().Add(h.c.srv.limits.ProgressTimeout))
}

// Panicked logs a panic that ends the connection, and must be called by the function
// that recovers it.
func (h *Handover) Panicked(p any) {
	h.answering = false
	h.c.logPanic(p)
}

// Admit returns what a client must be told, before its connection is closed, if the
// server takes nothing from it: it is not inside TLS, or rejected, unless its address is
// and it has a valid token. It must be called first for every request.
func (h *Handover) Admit(token string) *Error {
	c := h.c
	c.asked, h.answering = true, true
	switch {
	case c.exposed():
		return h.Refuse(errTLSRequired)
	case c.rejection == nil, c.pardon(func() error { return h.Authenticate(token) }):
		return nil
	}
	c.logPenalty()
	c.tellRefused(c.rejection.Code, c.rejection)
	return c.rejection
}

// IsLocal reports whether the client is on this machine.
func (h *Handover) IsLocal() bool { return !h.c.source.IsValid() }

// Authenticate takes the token of a request, which is "" if there is none, and returns
// an *Error with CodeDenied if it does not suffice, and with CodeBusy if its user has too
// many connections. It must be called for every request.
func (h *Handover) Authenticate(token string) error {
	c := h.c
	if c.srv.Authenticate == nil {
		return nil
	}
	c.stopUploading() // it is counted for the user
	c.identity = nil
	c.log = c.srv.Log.With().Str("remote", c.remote).Logger()
	if token == "" {
		return errNoToken
	}
	if err := c.identify(token); err != nil {
		return err
	}
	c.markAuthenticated()
	return nil
}

// User returns the name of the user whose token the client has shown, or "".
func (h *Handover) User() string {
	if h.c.identity == nil {
		return ""
	}
	return h.c.identity.Name()
}

// Permit returns why the client may not do op, as in Identity.Permit, or nil.
func (h *Handover) Permit(op string) error {
	_, err := h.c.permitNew(op)
	return err
}

// Refuse logs why a request is refused, charges the client's address for it if it is an
// offence, and returns what the client is told.
func (h *Handover) Refuse(err error) *Error {
	told := h.c.reason(err)
	h.c.penalize(offences[told.Code])
	return told
}

// Say takes a text and returns the reply.
func (h *Handover) Say(text string) (reply string, err error) {
	if _, err := h.c.permitNew(opSay); err != nil {
		return "", err
	}
	if err := h.c.srv.allowText(text); err != nil {
		return "", err
	}
	if text == "" || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", &Error{CodeProtocol, "a message must be UTF-8, without NUL, and not empty"}
	}
	h.c.received(Event{Op: "say", Text: text})
	return h.c.srv.replyTo(text), nil
}

// Err returns why the server's store can store nothing, or nil.
func (h *Handover) Err() error { return h.c.srv.Store.Err() }

// Create accepts a file and begins it, or resumes one of the same ID. With an ID it ends
// another connection that sends the same file. A file that is there already counts as
// this one only if its contents have the digest that a tells in advance (Agreed): such a
// client cannot compare them itself.
func (h *Handover) Create(a Announcement) (*Receiving, error) {
	c := h.c
	u := &upload{conn: c, Announcement: a}
	err := c.allow(opUpload, a)
	if err != nil {
		return nil, u.because(err)
	}
	old, err := c.register(u)
	if err != nil {
		return nil, u.because(err)
	}
	if err := c.startUploading(); err != nil {
		return nil, u.because(err)
	}
	c.acquireSlot(u, true)
	if old != nil {
		old.conn.supersede(old.number)
	}
	if err := c.begin(u); err != nil {
		c.releaseSlot(u)
		return nil, u.because(err)
	}
	if offer := u.to.Offer(); offer.Stored && !offer.Agreed {
		if err := u.to.Restart(); err != nil {
			c.drop(u)
			return nil, u.because(err)
		}
	}
	u.got = u.to.Offer().Size
	c.uploads = append(c.uploads, u) // for abandon, after a panic
	return &Receiving{u}, nil
}

// MakeFolder makes a folder and those above it durable.
func (h *Handover) MakeFolder(name string) error {
	store, err := h.c.permitNew(opUpload)
	if err != nil {
		return err
	}
	defer h.c.srv.beginCall()()
	if err := store.MakeFolder(h.c.ctx, name, nil); err != nil {
		return err
	}
	h.c.received(Event{Op: "folder", Name: name})
	return nil
}

// A Receiving is a file that arrives over a Handover. It must be ended by one Commit,
// Suspend or Abort.
type Receiving struct{ u *upload }

// Offset is how many bytes of the file there are.
func (r *Receiving) Offset() int64 { return r.u.got }

// Agreed reports whether they are all of it, because the server has the file already.
func (r *Receiving) Agreed() bool { return r.u.to.Offer().Agreed }

// Restart drops them.
func (r *Receiving) Restart() error {
	if err := r.u.to.Restart(); err != nil {
		return r.u.because(err)
	}
	r.u.got = 0
	return nil
}

// ReadFrom appends what it reads until io.EOF, as long as enough comes, the token is
// valid and the limits allow it.
func (r *Receiving) ReadFrom(source io.Reader) (int64, error) {
	u := r.u
	if u.started.IsZero() {
		u.resumed = u.got
		u.conn.srv.uploadLog.begin(u)
	}
	u.received.Store(u.got)
	in := &foreignBody{u: u, source: source, rate: rateMeter{least: u.conn.srv.limits.MinRate}}
	n, err := u.to.ReadFrom(in)
	u.got += n
	if err == nil { // all of it has come
		u.conn.link.SetReadDeadline(time.Time{})
	}
	if in.err != nil {
		err = in.err
	}
	if err != nil {
		err = u.because(err)
	}
	return n, err
}

// A foreignBody reads contents that are not in messages of this protocol.
type foreignBody struct {
	u      *upload
	source io.Reader
	rate   rateMeter
	read   int64
	err    error // why no more of it is read
}

func (b *foreignBody) Read(p []byte) (int, error) {
	c := b.u.conn
	begun := time.Now()
	c.link.SetReadDeadline(begun.Add(c.srv.limits.ProgressTimeout))
	n, err := b.source.Read(p)
	b.read += int64(n)
	b.u.received.Add(int64(n))
	inTime := b.rate.add(n, time.Since(begun))
	switch {
	case timedOut(err):
		b.err = errIdle
	case err != nil && err != io.EOF:
		b.err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err) // such as a chunk that is not one
	case b.u.fits(uint64(b.read), c.srv.limits.MaxSize) != nil:
		b.err = b.u.fits(uint64(b.read), c.srv.limits.MaxSize)
	case !inTime:
		b.err = c.tooSlow()
	default:
		b.err = c.checkToken()
	}
	if b.err != nil {
		err = b.err
	}
	return n, err
}

// Commit makes the file durable and visible if it matches want, of which an empty
// digest is not compared.
func (r *Receiving) Commit(want Sum) (Saved, error) {
	u := r.u
	if _, err := u.conn.permit(opUpload); err != nil {
		r.Abort()
		return Saved{}, u.because(err)
	}
	to := u.to
	u.to = nil
	r.forget()
	u.conn.srv.markComplete(u)
	return u.conn.commit(u, to, want)
}

func (r *Receiving) forget() { r.u.conn.uploads = nil }

// Suspend ends the work on the file. If it has an ID, its bytes are kept for a later
// Create. Abort drops them.
func (r *Receiving) Suspend() { r.forget(); r.u.conn.putAway(r.u, r.u.to.Suspend) }
func (r *Receiving) Abort()   { r.forget(); r.u.conn.putAway(r.u, r.u.to.Abort) }
