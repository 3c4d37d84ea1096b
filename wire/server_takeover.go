package wire

import (
	"context"
	"time"
)

// supersedeTime is how long telling the old connection may delay the new one.
const supersedeTime = 100 * time.Millisecond

var errSuperseded = &Error{CodeSuperseded, "another connection sends this file now"}

// A claim gives one upload at a time the right to send the file of an ID. It
// exists while an upload holds or awaits that right.
type claim struct {
	key     claimKey
	turn    chan struct{} // full while an upload holds the right
	uploads int           // that hold or await it
	owner   *upload       // the newest of them; nil once it gave up
}

// A claimKey identifies an upload. Users cannot take over each other's.
type claimKey struct{ user, id string }

// awaitClaim waits for the right to send the file, after registerClaim. A client
// whose network dropped returns on another connection, so that the newer one wins:
// the older is ended, and awaitClaim waits until it has put the file away. On the
// same connection it waits until the file is published.
func (s *Server) awaitClaim(u *upload) error {
	select {
	case u.claim.turn <- struct{}{}:
		return nil
	case <-u.conn.ctx.Done(): // two that wait for each other would wait for ever
		s.unregisterClaim(u, u.claim)
		u.claim = nil
		return context.Cause(u.conn.ctx)
	}
}

// registerClaim makes u the owner of a claim in place of old, which the caller must
// supersede: from then on old's connection can neither await nor register a claim.
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

// markComplete notes that all of u has arrived: it will release its claim by
// itself.
func (s *Server) markComplete(u *upload) {
	if u.claim != nil {
		s.mu.Lock()
		u.complete = true
		s.mu.Unlock()
	}
}

// unregisterClaim undoes registerClaim.
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

// releaseClaim gives up what awaitClaim gave, if u has a claim.
func (s *Server) releaseClaim(u *upload) {
	if u.claim != nil {
		<-u.claim.turn
		s.unregisterClaim(u, u.claim)
	}
}

// supersede ends a connection because another one, whose goroutine calls it, sends
// the same upload. What it is already publishing is still published.
func (c *conn) supersede(upload int) {
	defer c.superseding.Done()
	c.log.Warn().Msg("superseded by another connection")
	late := time.AfterFunc(supersedeTime, func() { c.link.Close() }) // wakes a goroutine that is stuck in a write
	defer late.Stop()
	if !c.handedOver {
		c.out.last(numbered(errSuperseded.control(), upload))
	}
	c.link.Close()
}
