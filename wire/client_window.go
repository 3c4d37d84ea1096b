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
	answered  int           // the highest number that was answered
	unheard   []batch       // of announcements from there on, in their order
	roundTrip time.Duration // the shortest from a batch to its first answer
}

// A batch is announcements that were sent together.
type batch struct {
	last int // number
	sent time.Time
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

// noteSent notes that all that was announced is sent.
func (c *Client) noteSent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.window
	if n := len(w.unheard); c.number > w.answered && (n == 0 || w.unheard[n-1].last < c.number) {
		w.unheard = append(w.unheard, batch{c.number, time.Now()})
	}
}

// noteLocked notes what an answer to the announcement of a number tells.
func (w *clientWindow) noteLocked(number string, answer Control) {
	if most, err := strconv.Atoi(answer.Get("ahead")); err == nil {
		w.most = max(w.most, min(most, DefaultMaxAhead))
	}
	n, err := strconv.Atoi(number)
	if err != nil || n <= w.answered || len(w.unheard) == 0 {
		return
	}
	w.answered = n
	passed := 0
	for passed < len(w.unheard)-1 && w.unheard[passed].last < n {
		passed++
	}
	took := time.Since(w.unheard[passed].sent)
	if w.roundTrip == 0 || took < w.roundTrip {
		w.roundTrip = took
	}
	if w.unheard[passed].last == n {
		passed++
	}
	w.unheard = w.unheard[passed:]
}
