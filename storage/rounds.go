package storage

import (
	"runtime"
	"sync"
)

// linger is how often the leader of a round lets others run before it begins:
// those whom the last round has let go come back meanwhile. That halves the
// number of rounds; more gains nothing (measured with 128 files at once).
const linger = 4

// rounds lets many wait for one act that serves them all (group commit). A
// round serves whoever has come before it begins; who comes while one runs
// waits for the next. The first to come leads the round: there is no goroutine
// behind it.
type rounds struct {
	act func() error

	mu   sync.Mutex
	last *round // the one that has begun last
	next *round // the one that has not begun
}

type round struct {
	over chan struct{} // closed at the end
	err  error         // set before
}

// join waits for the end of a round that begins after the call, and returns
// what act returned.
func (r *rounds) join() error {
	r.mu.Lock()
	mine, last := r.next, r.last
	if mine != nil {
		r.mu.Unlock()
		<-mine.over
		return mine.err
	}
	mine = &round{over: make(chan struct{})}
	r.next = mine
	r.mu.Unlock()
	if last != nil {
		<-last.over
	}
	for range linger {
		runtime.Gosched()
	}
	r.mu.Lock()
	r.last, r.next = mine, nil
	r.mu.Unlock()
	mine.err = r.act()
	close(mine.over)
	return mine.err
}
