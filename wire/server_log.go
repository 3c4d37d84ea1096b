package wire

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// A throttle keeps lines of the log that a peer can cause from filling the disk:
// it lets the first few pass and then one each interval, which tells how many
// were left out. It may be used by several goroutines at once.
type throttle struct {
	burst    int
	interval time.Duration

	mu   sync.Mutex
	full time.Time // when the whole burst may pass again
	left int       // how many were left out
}

// warn begins a line, or returns nil, on which every method does nothing.
func (t *throttle) warn(log *zerolog.Logger) *zerolog.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.full.Before(now) {
		t.full = now
	}
	if t.full.Sub(now) >= time.Duration(t.burst)*t.interval {
		t.left++
		return nil
	}
	t.full = t.full.Add(t.interval)
	line := log.Warn()
	if t.left > 0 {
		line = line.Int("left_out", t.left)
		t.left = 0
	}
	return line
}
