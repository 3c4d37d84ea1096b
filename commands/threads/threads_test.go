package threads

import (
	"runtime"
	"sync"
	"testing"
)

// TestEnd: threads that many calls of the system once needed end.
func TestEnd(t *testing.T) {
	const many = 100
	var bound, done sync.WaitGroup
	release := make(chan struct{})
	bound.Add(many)
	for range many {
		done.Go(func() {
			runtime.LockOSThread()
			bound.Done()
			<-release
			runtime.UnlockOSThread()
		})
	}
	bound.Wait()
	close(release)
	done.Wait()
	before := surplus()
	if before < many/2 {
		t.Fatalf("%d threads are too many, and %d were needed", before, many)
	}
	for surplus() > before/10 {
		end(surplus())
		runtime.Gosched()
	}
}
