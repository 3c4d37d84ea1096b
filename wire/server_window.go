package wire

import (
	"fmt"
	"strconv"
	"sync/atomic"
)

// windowFrom is how many files a client announces before it is let announce more: most
// announce fewer.
const windowFrom = MaxAhead / 2

// A window is how many files a connection may announce ahead.
type window struct {
	most int         // what it was granted, instead of MaxAhead; 0 if it was not asked for
	told atomic.Bool // the client has been told, or need not be
	// bytes is how long the announcements of the connection's uploads are.
	bytes int
}

// isOpen reports whether one more announcement may come behind n.
func (w *window) isOpen(n int) bool {
	return n < MaxAhead || n < w.most && w.bytes < w.most*WindowBytes
}

// refusal is what a client is told that announces too much.
func (w *window) refusal() *Error {
	return &Error{CodeTooMany, fmt.Sprintf("more than %d files announced ahead", max(MaxAhead, w.most))}
}

// widen grants a connection that announces many files a part of what is left. It ends
// with narrow.
func (c *conn) widen() {
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.limits.MaxAhead
	c.window.most = min(most, (4*most-s.windows)/2)
	s.windows += c.window.most
}

func (c *conn) narrow() {
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	s.windows -= c.window.most
	c.window.most = 0
}

// withWindow adds to the answer to an announcement how many the client may announce
// ahead, if that is more than any and has not been said.
func (c *conn) withWindow(ctl Control, number int) Control {
	w := &c.window
	if number < windowFrom || w.most <= MaxAhead || w.told.Swap(true) {
		return ctl
	}
	return ctl.with("ahead", strconv.Itoa(w.most))
}
