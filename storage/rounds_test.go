package storage

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Who comes while a round runs is not served by it, and there is one at a time.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int32
		end := make(chan struct{})
		r := rounds{act: func() error {
			begun.Add(1)
			<-end
			return nil
		}}
		var all sync.WaitGroup
		join := func(n int) (served *atomic.Int32) {
			served = new(atomic.Int32)
			for range n {
				all.Go(func() {
					r.join()
					served.Store(begun.Load())
				})
			}
			synctest.Wait()
			return served
		}
		first := join(1)
		second := join(5)
		if n := begun.Load(); n != 1 {
			t.Fatalf("%d rounds have begun, want 1", n)
		}
		end <- struct{}{}
		synctest.Wait()
		if first.Load() == 0 || second.Load() != 0 || begun.Load() != 2 {
			t.Errorf("after the first round: first served in %d, second in %d, %d begun", first.Load(), second.Load(), begun.Load())
		}
		end <- struct{}{}
		all.Wait()
		if second.Load() != 2 || begun.Load() != 2 {
			t.Errorf("second served in round %d, %d begun", second.Load(), begun.Load())
		}
	})
}
