package wire

import "context"

// A store may need a descriptor for every file in progress. Each connection may
// have one for a file of its own at any time; files announced ahead, or published while
// the next is received, come out of a shared budget. While that is used up, an
// announcement waits until it is the oldest, and then for the connection's own
// publications. Those depend on no other connection, so that nothing waits for
// ever, and every file that needs a descriptor has one. A small file needs none before its
// contents come (Store.Create).

// A slot is where a file's descriptor is counted.
type slot int

const (
	slotNone slot = iota
	slotOwn       // of the connection
	slotShared
)

// needsSlot reports whether the store may need a descriptor for u before its contents come.
func (u *upload) needsSlot() bool {
	return u.Size < 0 || u.Size > LateSize || u.mayTakeLong()
}

// acquireSlot counts the descriptor of a file, and reports whether the budget allows it.
// For the oldest file it waits until it does. It is reserved to the reader.
func (c *conn) acquireSlot(u *upload, oldest bool) bool {
	for !c.srv.tryAcquireSlot(u, oldest) {
		if !oldest {
			return false
		}
		c.out.beginWait()
		c.publishing.wait()
		c.out.endWait()
	}
	return true
}

func (s *Server) tryAcquireSlot(u *upload, oldest bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c := u.conn; {
	case u.slot != slotNone:
	case oldest && !c.ownSlot:
		u.slot, c.ownSlot = slotOwn, true
	case s.sharedSlots < s.limits.MaxOpen:
		u.slot = slotShared
		s.sharedSlots++
		c.sharedSlots++
	default:
		return false
	}
	return true
}

// releaseSlot undoes acquireSlot.
func (c *conn) releaseSlot(u *upload) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.releaseSlotLocked(u)
}

func (c *conn) releaseSlotLocked(u *upload) {
	switch u.slot {
	case slotOwn:
		c.ownSlot = false
	case slotShared:
		c.srv.sharedSlots--
		c.sharedSlots--
	}
	u.slot = slotNone
}

// moveSlot gives the oldest file the connection's own slot for a shared one, if it is free.
func (c *conn) moveSlot(oldest *upload) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	if oldest.slot == slotShared && !c.ownSlot {
		c.releaseSlotLocked(oldest)
		oldest.slot, c.ownSlot = slotOwn, true
	}
}

// releaseSlots gives back, at the end of the connection, those that a panic left.
func (c *conn) releaseSlots() {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.srv.sharedSlots -= c.sharedSlots
	c.sharedSlots, c.ownSlot = 0, false
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
		defer func() { s.calls <- struct{}{} }()
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
