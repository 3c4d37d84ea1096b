package wire

import "context"

// A store may need a descriptor for every file that it has begun and not ended.
// Each connection may have one file of its own at any time; what it announces
// ahead, or publishes beside the next, takes of what all share. While nothing of
// that is left, an announcement waits until it is the oldest, and then for the
// connection's own publications: they need nobody else to end, so that none
// waits for ever and no file that was accepted lacks its descriptor.

// acquireFile counts one more file of c, and reports whether there is room for it.
// For the oldest it waits, and there is.
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

// releaseFile is the opposite of takeFile. A panic between the two is the end of the
// connection, and so of one file at most, which was none of those shared.
func (c *conn) releaseFile() {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	if c.files--; c.files > 0 {
		c.srv.sharedFiles--
	}
}

// beginCall takes part in the calls of the store that may need descriptors for a
// moment. The caller must call what it returns.
func (s *Server) beginCall() (ended func()) {
	s.calls <- struct{}{}
	return func() { <-s.calls }
}

// permitNew returns where to keep what op brings, or why nothing is to be begun now.
func (c *conn) permitNew(op string) (Store, error) {
	if c.srv.isClosing() {
		return nil, errShutdown
	}
	return c.permit(op)
}

func (c *conn) storeFile(op string, a Announcement) (Upload, error) {
	defer c.srv.beginCall()()
	store, err := c.permitNew(op)
	if err != nil {
		return nil, err
	}
	return store.Create(c.ctx, a)
}

// commit finishes what it began, whatever becomes of the connection.
func (s *Server) commit(to Upload, want Sum) (Saved, error) {
	defer s.beginCall()()
	return to.Commit(context.Background(), want)
}
