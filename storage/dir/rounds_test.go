package dir

import (
	"errors"
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
					r.join(nil)
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

// What is to be done between two rounds is done by whoever leads the first, if
// that went well, and the second is waited for if it returns true.
func TestBetweenRounds(t *testing.T) {
	failed := errors.New("failed")
	for _, test := range []struct {
		what    string
		ends    []error // of the rounds
		again   bool    // what is returned between them
		asked   bool    // between them
		rounds  int
		outcome error
	}{
		{"both", []error{nil, nil}, true, true, 2, nil},
		{"the first fails", []error{failed}, true, false, 1, failed},
		{"the second fails", []error{nil, failed}, true, true, 2, failed},
		{"one is enough", []error{nil}, false, true, 1, nil},
	} {
		t.Run(test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const members = 3
				begun, asked := -1, 0
				together := make(chan struct{})
				r := rounds{act: func() error {
					if begun++; begun > 0 {
						return test.ends[begun-1]
					}
					<-together // all wait for the end of this one
					return nil
				}}
				var all sync.WaitGroup
				all.Go(func() { r.join(nil) })
				synctest.Wait()
				for range members {
					all.Go(func() {
						err := r.join(func() bool {
							asked++ // by one goroutine at a time, or the race detector tells
							return test.again
						})
						if err != test.outcome {
							t.Errorf("%v, want %v", err, test.outcome)
						}
					})
				}
				synctest.Wait()
				close(together)
				all.Wait()
				if asked != 0 && asked != members || asked != 0 != test.asked {
					t.Errorf("asked %d times", asked)
				}
				if begun != test.rounds {
					t.Errorf("%d rounds, want %d", begun, test.rounds)
				}
				if r.led || len(r.waiting) > 0 {
					t.Errorf("led %v, %d wait", r.led, len(r.waiting))
				}
			})
		})
	}
}

// A fault of the program is that of whom it is about, whoever leads.
func TestFaultInRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		acts := 0
		together := make(chan struct{})
		r := rounds{act: func() error {
			if acts++; acts == 1 {
				<-together
			}
			if acts == 4 {
				panic("a fault")
			}
			return nil
		}}
		var all sync.WaitGroup
		all.Go(func() { r.join(nil) })
		synctest.Wait()
		var errs [4]error
		for i := range errs {
			all.Go(func() {
				errs[i] = r.join(func() bool {
					if i == 2 {
						panic("a fault")
					}
					return true
				})
			})
		}
		synctest.Wait()
		close(together)
		all.Wait()
		for i, err := range errs {
			if (err != nil) != (i == 2) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if err := r.join(nil); err == nil {
			t.Error("no error of a round that has failed")
		}
		if err := r.join(nil); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}
