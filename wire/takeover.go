package wire

import (
	"context"
	"time"
)

// supersedeTime is how long the last words of a connection that is taken over
// may keep the new one waiting.
const supersedeTime = 100 * time.Millisecond

var errSuperseded = &Error{CodeSuperseded, "another connection sends this file now"}

// A claim is on the right to send the upload of an ID. Its connections are the
// one that has the right and those that wait for it.
type claim struct {
	id    string
	turn  chan struct{} // full while one has the right
	conns int
	owner *conn // the newest of them; nil once it gave up
}

// claim gives c the right to an ID. A client whose network dropped comes back
// on another connection, so that the newer one is right: the older is ended,
// and claim waits until it has put the file away.
func (s *Server) claim(c *conn, id string) (*claim, error) {
	cl, old, err := s.enter(c, id)
	if err != nil {
		return nil, err
	}
	if old != nil {
		old.supersede()
	}
	select {
	case cl.turn <- struct{}{}:
		return cl, nil
	case <-c.current.Done(): // or else two that wait for each other would for ever
		s.exit(c, cl)
		return nil, context.Cause(c.current)
	}
}

// enter makes c the owner of a claim in place of old, which from then on can
// neither wait for a claim nor make one.
func (s *Server) enter(c *conn, id string) (cl *claim, old *conn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.current.Err() != nil {
		return nil, nil, context.Cause(c.current)
	}
	cl = s.claims[id]
	if cl == nil {
		cl = &claim{id: id, turn: make(chan struct{}, 1)}
		if s.claims == nil {
			s.claims = map[string]*claim{}
		}
		s.claims[id] = cl
	}
	if cl.owner == c {
		return nil, nil, &Error{CodeInUse, "this connection sends that file already"}
	}
	if cl.owner != nil && cl.owner.current.Err() == nil {
		old = cl.owner
		old.replace(errSuperseded)
	}
	cl.owner = c
	cl.conns++
	return cl, old, nil
}

// exit is the opposite of enter.
func (s *Server) exit(c *conn, cl *claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cl.owner == c {
		cl.owner = nil
	}
	if cl.conns--; cl.conns == 0 {
		delete(s.claims, cl.id)
	}
}

// release gives up what claim gave, if it did.
func (s *Server) release(c *conn, cl *claim) {
	if cl != nil {
		<-cl.turn
		s.exit(c, cl)
	}
}

// supersede ends a connection in favour of another one, whose goroutine calls
// it. What it is publishing just now it still publishes.
func (c *conn) supersede() {
	c.log.Warn().Msg("superseded by another connection")
	late := time.AfterFunc(supersedeTime, func() { c.link.Close() }) // wakes who is stuck in a reply
	defer late.Stop()
	c.out.last(errSuperseded)
	c.link.Close()
}

// last sends a refusal after which nothing is sent.
func (o *replies) last(e *Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.link.Write(AppendString(o.buf, e.control().Text()))
		o.err = e
	}
}
