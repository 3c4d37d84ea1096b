package wire

import (
	"context"
	"time"
)

// supersedeTime is how long the last words of a connection that is taken over
// may keep the new one waiting.
const supersedeTime = 100 * time.Millisecond

var errSuperseded = &Error{CodeSuperseded, "another connection sends this file now"}

// A claim is on the right to send the upload of an ID. Its uploads are the one
// that has the right and those that wait for it.
type claim struct {
	key     claimKey
	turn    chan struct{} // full while one has the right
	uploads int
	owner   *upload // the newest of them; nil once it gave up
}

// A claimKey tells uploads apart: nobody takes over one of another user.
type claimKey struct{ user, id string }

// awaitClaim gives an upload the right to its ID, which enter has noted. A client whose
// network dropped comes back on another connection, so that the newer one is right:
// the older is ended, and claim waits until it has put the file away. On the same
// connection it waits until the file is published.
func (s *Server) awaitClaim(u *upload) error {
	select {
	case u.claim.turn <- struct{}{}:
		return nil
	case <-u.conn.ctx.Done(): // or else two that wait for each other would for ever
		s.unregisterClaim(u, u.claim)
		u.claim = nil
		return context.Cause(u.conn.ctx)
	}
}

// registerClaim makes u the owner of a claim in place of old, which the caller must
// supersede: its connection from then on can neither wait for a claim nor make one.
func (s *Server) registerClaim(u *upload) (old *upload, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := u.conn
	if c.ctx.Err() != nil {
		return nil, context.Cause(c.ctx)
	}
	key := claimKey{c.user(), u.ID}
	cl := s.claims[key]
	if cl == nil {
		cl = &claim{key: key, turn: make(chan struct{}, 1)}
		if s.claims == nil {
			s.claims = map[claimKey]*claim{}
		}
		s.claims[key] = cl
	}
	if o := cl.owner; o != nil {
		switch {
		case o.conn == c && !o.complete:
			return nil, &Error{CodeInUse, "this connection sends that file already"}
		case o.conn != c && o.conn.ctx.Err() == nil:
			old = o
			old.conn.superseding.Add(1)
			old.conn.cancel(errSuperseded)
		}
	}
	u.claim = cl
	cl.owner = u
	cl.uploads++
	return old, nil
}

// markComplete notes that u is whole: it gives up its claim by itself.
func (s *Server) markComplete(u *upload) {
	if u.claim != nil {
		s.mu.Lock()
		u.complete = true
		s.mu.Unlock()
	}
}

// unregisterClaim is the opposite of enter.
func (s *Server) unregisterClaim(u *upload, cl *claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cl.owner == u {
		cl.owner = nil
	}
	if cl.uploads--; cl.uploads == 0 {
		delete(s.claims, cl.key)
	}
}

// releaseClaim gives up what claim gave, if it did.
func (s *Server) releaseClaim(u *upload) {
	if u.claim != nil {
		<-u.claim.turn
		s.unregisterClaim(u, u.claim)
	}
}

// supersede ends a connection in favour of another one, whose goroutine calls
// it, because of an upload. What it is publishing just now it still publishes.
func (c *conn) supersede(upload int) {
	defer c.superseding.Done()
	c.log.Warn().Msg("superseded by another connection")
	late := time.AfterFunc(supersedeTime, func() { c.link.Close() }) // wakes who is stuck in a reply
	defer late.Stop()
	c.out.last(numbered(errSuperseded.control(), upload))
	c.link.Close()
}
