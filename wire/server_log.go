package wire

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// A throttle keeps log lines that a peer can cause from filling the disk: it lets
// the first few pass and then one per interval, which says how many were
// suppressed. It is safe for concurrent use.
type throttle struct {
	burst    int
	interval time.Duration

	mu         sync.Mutex
	full       time.Time // when the whole burst may pass again
	suppressed int       // lines since the last
}

// warn starts a line, or returns nil, on which every method does nothing.
func (t *throttle) warn(log *zerolog.Logger) *zerolog.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.full.Before(now) {
		t.full = now
	}
	if t.full.Sub(now) >= time.Duration(t.burst)*t.interval {
		t.suppressed++
		return nil
	}
	t.full = t.full.Add(t.interval)
	line := log.Warn()
	if t.suppressed > 0 {
		line = line.Int("left_out", t.suppressed)
		t.suppressed = 0
	}
	return line
}

const (
	// longUpload is how long a file takes to arrive or to become safe before the
	// log says that it is under way, and longAgain how long until it says so again.
	longUpload = 2 * time.Second
	longAgain  = time.Minute
	longCheck  = time.Second
)

// An uploadLog logs the uploads that take long. Its zero value is ready to use. It
// is safe for concurrent use.
type uploadLog struct {
	mu    sync.Mutex
	due   map[*upload]time.Time // when each is to be logged next
	timer *time.Timer           // runs as long as there are any
}

// begin notes that contents of an upload are about to arrive.
func (l *uploadLog) begin(u *upload) {
	u.started = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.due == nil {
		l.due = map[*upload]time.Time{}
		l.timer = time.AfterFunc(longCheck, l.check)
	} else if len(l.due) == 0 {
		l.timer.Reset(longCheck)
	}
	l.due[u] = u.started.Add(longUpload)
}

// end notes that an upload has ended. It need not have begun.
func (l *uploadLog) end(u *upload) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.due, u)
	if len(l.due) == 0 && l.timer != nil {
		l.timer.Stop()
	}
}

// check logs those that are due.
func (l *uploadLog) check() {
	for _, u := range l.take(time.Now()) {
		u.logUnderWay()
	}
}

func (l *uploadLog) take(now time.Time) (due []*upload) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for u, at := range l.due {
		if !now.Before(at) {
			due = append(due, u)
			l.due[u] = now.Add(longAgain)
		}
	}
	if len(l.due) > 0 {
		l.timer.Reset(longCheck)
	}
	return due
}

func (u *upload) logUnderWay() {
	line := u.conn.log.Info()
	if u.Name != "" { // a blob has none yet
		line.Str("name", u.Name)
	}
	if u.Size >= 0 {
		line.Int64("size", u.Size)
	}
	line.Int64("received", u.received.Load())
	if u.resumed > 0 {
		line.Int64("resumed", u.resumed)
	}
	line.Float64("seconds", seconds(time.Since(u.started))).Msg(u.op() + " under way")
}

// seconds rounds a duration to microseconds.
func seconds(d time.Duration) float64 { return d.Round(time.Microsecond).Seconds() }
