// Package bandwidth limits how many bytes a second are sent or read.
package bandwidth

import (
	"io"
	"sync"
	"time"
)

// A Limit is for all that is sent, or read, of a run. It may be used by many goroutines
// at once.
type Limit struct {
	Rate int64 // bytes a second

	mu   sync.Mutex
	free time.Time // when what was sent is paid for
}

// slice is for how long a limit may be exceeded, and the longest pause of one who is
// alone.
const slice = time.Second / 10

// Slice is how many bytes to send at a time.
func (l *Limit) Slice() int { return int(max(l.Rate/int64(time.Second/slice), 1)) }

// Wait waits until more may be sent than the n bytes that were.
func (l *Limit) Wait(n int) {
	l.mu.Lock()
	now := time.Now()
	if least := now.Add(-slice); l.free.Before(least) {
		l.free = least // the time before is lost
	}
	l.free = l.free.Add(time.Duration(float64(n) / float64(l.Rate) * float64(time.Second)))
	pause := l.free.Sub(now)
	l.mu.Unlock()
	time.Sleep(pause)
}

// Reader returns r with its reads limited. It may be called on nil, which is no limit.
func (l *Limit) Reader(r io.Reader) io.Reader {
	if l == nil {
		return r
	}
	return &reader{r, l}
}

type reader struct {
	io.Reader
	limit *Limit
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b[:min(len(b), r.limit.Slice())])
	r.limit.Wait(n)
	return n, err
}
