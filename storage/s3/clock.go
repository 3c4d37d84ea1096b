package s3

import (
	"net/http"
	"sync"
	"time"
)

// A clock is that of the object store, as its answers tell it: what it says of its
// objects is compared with that, so that the clocks of servers may be wrong. Until
// there is an answer it is this machine's.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration // of this machine's
}

// dateStep is how much later than a Date an answer may have been made: it has whole
// seconds, and some servers note it only once a second.
const dateStep = 2 * time.Second

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// heed learns from the Date of an answer to what was asked at a time. An answer that
// took long tells little.
func (c *clock) heed(date string, asked time.Time) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	least, most := time.Until(at), at.Add(dateStep).Sub(asked)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = max(least, min(c.ahead, most))
}

// A clocked transport has the clock learn from all answers.
type clocked struct {
	http.RoundTripper
	clock *clock
}

func (t clocked) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := time.Now()
	answer, err := t.RoundTripper.RoundTrip(r)
	if err == nil {
		t.clock.heed(answer.Header.Get("Date"), asked)
	}
	return answer, err
}
