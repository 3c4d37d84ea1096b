package wire

import "context"

// A store may need a descriptor for every file in progress. Each connection may
// have one file of its own at any time; files announced ahead, or published while
// the next is received, come out of a shared budget. While that is used up, an
// announcement waits until it is the oldest, and then for the connection's own
// publications. Those depend on no other connection, so that nothing waits for
// ever, and every accepted file has its descriptor.

// acquireFile counts one more file of c, and reports whether the budget allows it.
// For the oldest it waits until it does.
func (c *conn) acquireFile(oldest bool) bool {
	if c.srv.tryAcquireFile(c) {
		return true
	}
	if !oldest {
		return false
	}
	c.out.beginWait()
	defer c.out.endWait()
	c.publishing.Wait()
	return c.srv.tryAcquireFile(c)
}

func (s *Server) tryAcquireFile(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.files > 0 {
		if s.sharedFiles >= s.limits.MaxOpen {
			return false
		}
		s.sharedFiles++
	}
	c.files++
	return true
}

// releaseFile undoes acquireFile. A panic between the two ends the connection, and
// so leaks one file at most, which is not a shared one.
func (c *conn) releaseFile() {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	if c.files--; c.files > 0 {
		c.srv.sharedFiles--
	}
}

// beginCall waits for one of MaxCalls calls of the store, which may need
// descriptors for a moment. The caller must call what it returns.
func (s *Server) beginCall() (ended func()) {
	s.calls <- struct{}{}
	return func() { <-s.calls }
}

// permitNew is permit for something that is not in progress yet: a server that is
// shutting down starts nothing.
func (c *conn) permitNew(op string) (Store, error) {
	if c.srv.isClosing() {
		return nil, errShutdown
	}
	return c.permit(op)
}

type callKey struct{}

// Waiting calls wait, in which a Store's Create that got ctx waits and holds nothing, such as
// an open file, that other calls of the Store may need: meanwhile one more of those may run.
func Waiting(ctx context.Context, wait func()) {
	if s, ok := ctx.Value(callKey{}).(*Server); ok {
		<-s.calls
		defer s.beginCall()
	}
	wait()
}

func (c *conn) storeFile(op string, a Announcement) (Upload, error) {
	defer c.srv.beginCall()()
	store, err := c.permitNew(op)
	if err != nil {
		return nil, err
	}
	return store.Create(context.WithValue(c.ctx, callKey{}, c.srv), a)
}

// commit runs to its end even if the connection does not.
func (s *Server) commit(to Upload, want Sum) (Saved, error) {
	defer s.beginCall()()
	return to.Commit(context.Background(), want)
}
