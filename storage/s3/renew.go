package s3

import (
	"maps"
	"slices"
	"time"
)

// pauseTime is how often the states of uploads are written again of which nothing
// arrives: often enough that no other server takes one for interrupted.
const pauseTime = staleTime / 6

// renew tells other servers of the uploads that go on although nothing arrives, until
// the store is closed.
func (s *Store) renew() {
	tick := time.NewTicker(pauseTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.mu.Lock()
			open := slices.Collect(maps.Values(s.partials))
			s.mu.Unlock()
			for _, p := range open {
				p.renewPaused()
			}
		case <-s.background.Done():
			return
		}
	}
}

// renewPaused writes the state of p again if nobody has for a while. Who holds p.mu is
// at work on p.
func (p *partial) renewPaused() {
	if !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	if p.ended || p.etag == "" || p.err != nil || time.Since(p.renewed) < pauseTime {
		return
	}
	what := going
	if p.resumable() && (p.multi == nil || p.multi.mark().sum.size == p.sum.size) {
		what = resumed // the tail may be kept in the state that is replaced
	}
	p.err = p.writeState(p.store.background, what)
}
