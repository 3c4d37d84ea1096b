// Package threads ends threads of the process that have nothing to do.
package threads

import (
	"context"
	"runtime"
	"time"
)

const (
	// spare is how many threads stay in addition to one for each processor: a server needs
	// some whenever a call of the system takes long.
	spare = 16
	// pause is how often Trim looks.
	pause = 10 * time.Second
)

// Trim keeps the process from holding threads for ever that it once needed: Go
// itself never ends one. It looks every ten seconds until ctx ends, and ends those
// beyond a few that it has found twice.
func Trim(ctx context.Context) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	before := 0
	for {
		select {
		case <-tick.C:
			now := surplus()
			end(min(before, now))
			before = now
		case <-ctx.Done():
			return
		}
	}
}

// surplus is how many threads there are beyond those that stay.
func surplus() int {
	n, _ := runtime.ThreadCreateProfile(nil)
	return max(0, n-runtime.GOMAXPROCS(0)-spare)
}

// end ends n threads. A goroutine that ends while it is bound to its thread takes
// that along, and Go has another one run the next, which it makes only if none is
// idle.
func end(n int) {
	for range n {
		go runtime.LockOSThread()
	}
}
