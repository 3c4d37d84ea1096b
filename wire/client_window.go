package wire

import (
	"strconv"
	"time"
)

// answersPerSecond is more than any server decides on. There is no use in more files
// ahead than it answers in a round trip.
const answersPerSecond = 100_000

// A clientWindow is how many files a Client may announce ahead.
type clientWindow struct {
	most      int           // what the server has said; 0 if nothing
	asked     time.Time     // when the first announcement was sent
	roundTrip time.Duration // until its answer came
}

// An ahead counts what is announced and neither sent nor refused.
type ahead struct {
	files int
	bytes int // of announcements
}

// MayAnnounce reports whether a file may be announced before another one is sent. How many
// may depends on the server and on how far away it is.
func (c *Client) MayAnnounce() bool {
	if c.ahead.files < MaxAhead {
		return true
	}
	c.mu.Lock()
	w := c.window
	c.mu.Unlock()
	useful := int(w.roundTrip.Seconds() * answersPerSecond)
	return c.ahead.files < min(w.most, useful) && c.ahead.bytes+MaxString <= w.most*WindowBytes
}

// noteAsked notes that announcements are sent.
func (c *Client) noteAsked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.window.asked.IsZero() {
		c.window.asked = time.Now()
	}
}

// noteLocked notes what an answer to an announcement tells.
func (w *clientWindow) noteLocked(answer Control, now time.Time) {
	if w.roundTrip == 0 && !w.asked.IsZero() {
		w.roundTrip = now.Sub(w.asked)
	}
	if n, err := strconv.Atoi(answer.Get("ahead")); err == nil {
		w.most = max(w.most, min(n, DefaultMaxAhead))
	}
}
