package wire_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	announceI  = "f|proof=sha256|id=i|size=5|"
	superseded = "ERROR|code=superseded|upload=1|"
)

// TestTakeover has a connection that is in the middle of an upload, in every
// state, when another one announces it.
func TestTakeover(t *testing.T) {
	tests := []struct{ name, sent, left string }{
		{"before contents", "", ""},
		{"between Data", data(2, "ab"), "ab"},
		{"inside a Data", header(2, 5) + "abc", "abc"},
		{"inside a header", data(2, "a") + "\x09\x01", "a"},
		{"before END", data(2, "abcde"), "abcde"},
		{"inside END", data(2, "abcde") + end("abcde")[:9], "abcde"},
		{"other files are announced", str("g|proof=sha256|id=k|size=1|") + data(2, "ab"), "ab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, nil, func(w *world) {
				old, next := w.dial(), w.dial()
				old.send(str(announceI), tt.sent)
				if said := decode(old.heard()); len(said) == 0 || said[0] != ok(1) {
					t.Errorf("the server said %q", said)
				}
				begin := time.Now()
				next.send(str(announceI))
				if tt.left == "" {
					next.hear(ok(1))
				} else {
					next.hear(okFrom(1, tt.left))
				}
				old.hear(superseded)
				old.wantClosed()
				if d := time.Since(begin); d != 0 {
					t.Errorf("it took %v", d)
				}
				next.send(data(2, "abcde"[len(tt.left):]), end("abcde"))
				next.hear(saved(1, "f", "abcde"))
				next.send(str("g|proof=sha256|id=k|size=1|")) // nobody holds it any more
				next.hear(ok(2))
				next.Close()
				w.store.wantFiles(t, map[string]string{"f": "abcde"})
				w.wantDid("upload f")
			})
		})
	}
}

// TestNoTakeover has announcements that are refused anyway, and ids that nobody
// holds: they end no other connection.
func TestNoTakeover(t *testing.T) {
	for name, send := range map[string]string{
		"too large": "f|proof=sha256|id=i|size=1001|", "bad digest": "f|proof=sha256|id=i|size=5|digest=md5|", "long name": strings.Repeat("n", 3073) + "|proof=sha256|id=i|",
		"another id": "f|proof=sha256|id=I|size=5|", "no id": "f|size=5|", "folder": "f/|proof=sha256|id=i|",
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, limit(1000), func(w *world) {
				old, next := w.dial(), w.dial()
				old.send(str(announceI), data(2, "ab"))
				old.hear(ok(1))
				next.send(str(send))
				if next.heard() == "" {
					t.Error("no answer")
				}
				old.send(data(2, "cde"), end("abcde"))
				old.hear(saved(1, "f", "abcde"))
				next.send(str("g|proof=sha256|id=i|size=0|"))
				if said := decode(next.heard()); len(said) != 1 || !strings.HasPrefix(said[0], "OK|") {
					t.Errorf("then the server said %q", said)
				}
				old.send(str("still there"))
				old.hear("Message: still there")
				old.Close()
				next.Close()
			})
		})
	}
}

// slowCommit lets the n-th Commit take until the bubble's clock is there.
func slowCommit(d time.Duration, err error) func(*world) {
	return func(w *world) {
		w.store.onCommit = func(f *file) error { time.Sleep(d); return err }
	}
}

// TestTakeoverDuringCommit has an old connection that is publishing: it does
// publish, and the new one waits for it.
func TestTakeoverDuringCommit(t *testing.T) {
	for name, fails := range map[string]error{"published": nil, "refused": errors.New("no")} {
		t.Run(name, func(t *testing.T) {
			serve(t, slowCommit(12*time.Second, fails), func(w *world) {
				old, next := w.dial(), w.dial()
				old.send(str(announceI), data(2, "abcde"), end("abcde"))
				old.hear(ok(1))
				next.send(str(announceI))
				for range 2 {
					time.Sleep(5*time.Second - 1)
					next.hear()
					time.Sleep(time.Nanosecond)
					next.hear("WAIT|")
				}
				old.hear(superseded)
				time.Sleep(2 * time.Second)
				next.hear(ok(1))
				old.wantClosed()
				want := map[string]string{"f": "abcde"}
				if fails != nil {
					want = nil
				}
				w.store.wantFiles(t, want)
				next.send(data(2, "abcde"), end("abcde"))
				time.Sleep(12 * time.Second)
				if fails == nil {
					next.hear("WAIT|", "WAIT|", saved(1, "f", "abcde")+"unchanged=1|")
				} else {
					next.hear("WAIT|", "WAIT|", "ERROR|code=internal|upload=1|")
				}
				next.Close()
			})
		})
	}
}

// TestTakeoverOfTheDeaf has old connections whose peers take nothing, or little.
func TestTakeoverOfTheDeaf(t *testing.T) {
	t.Run("takes nothing", func(t *testing.T) {
		serve(t, nil, func(w *world) {
			old, next := w.dialDeaf(), w.dial()
			old.send(str(announceI))
			_, err := io.ReadFull(old, make([]byte, len(str(ok(1)))))
			must(t, err)
			old.send(data(2, "ab"))
			synctest.Wait()
			next.send(str(announceI))
			next.hear()
			time.Sleep(100 * time.Millisecond)
			next.hear(okFrom(1, "ab"))
			next.Close()
			old.Close()
		})
	})
	t.Run("takes a byte now and then", func(t *testing.T) {
		serve(t, nil, func(w *world) {
			old, next := w.dialDeaf(), w.dial()
			old.send(str(announceI))
			_, err := io.ReadFull(old, make([]byte, len(str(ok(1)))))
			must(t, err)
			old.send(data(2, "ab"))
			synctest.Wait()
			var trickle sync.WaitGroup
			trickle.Go(func() {
				for err == nil {
					time.Sleep(30 * time.Millisecond)
					_, err = old.Read(make([]byte, 1))
				}
			})
			next.send(str(announceI))
			time.Sleep(100 * time.Millisecond)
			next.hear(okFrom(1, "ab"))
			trickle.Wait()
			next.Close()
		})
	})
}

// TestTakeoverOfTheStuck has an old connection that is stuck in a reply. It
// holds a lock, for which no bubble's clock waits.
func TestTakeoverOfTheStuck(t *testing.T) {
	w := start(t, nil)
	old, next := w.dialDeaf(), w.dialDeaf()
	old.send(str(announceI))
	_, err := io.ReadFull(old, make([]byte, len(str(ok(1)))))
	must(t, err)
	old.send(data(2, "ab"), str("hi"))
	time.Sleep(20 * time.Millisecond) // for the reply to get stuck
	begin := time.Now()
	next.send(str(announceI))
	want := str(okFrom(1, "ab"))
	got := make([]byte, len(want))
	_, err = io.ReadFull(next, got)
	must(t, err)
	if d := time.Since(begin); string(got) != want || d > 2*time.Second {
		t.Errorf("after %v the server said %q", d, decode(string(got)))
	}
	next.Close()
	old.Close()
	w.finish()
}

// TestTakeoverChain has many connections one after the other, each of which
// brings a byte.
func TestTakeoverChain(t *testing.T) {
	serve(t, nil, func(w *world) {
		var old *peer
		body := ""
		for i := range 20 {
			p := w.dial()
			p.send(str("f|proof=sha256|id=i|size=20|"))
			if i == 0 {
				p.hear(ok(1))
			} else {
				p.hear(okFrom(1, body))
				old.hear(superseded)
				old.wantClosed()
			}
			p.send(data(2, string(rune('a'+i))))
			body += string(rune('a' + i))
			old = p
		}
		old.send(end(body))
		old.hear(saved(1, "f", body))
		old.Close()
	})
}

// hearSuperseded checks that the server ends a connection in favour of another
// one.
func (p *peer) hearSuperseded() {
	p.t.Helper()
	p.hear(superseded)
	p.wantClosed()
}

// TestNewestWins has several connections that wait for the same upload: only
// the newest of them gets it, whatever order they wake up in.
func TestNewestWins(t *testing.T) {
	for range 20 {
		serve(t, slowCommit(7*time.Second, errors.New("no")), func(w *world) {
			holder := w.dial()
			holder.send(str(announceI), data(2, "abcde"), end("abcde"))
			holder.hear(ok(1))
			var waiting []*peer
			for range 5 {
				p := w.dial()
				p.send(str(announceI))
				p.hear()
				waiting = append(waiting, p)
			}
			newest := waiting[4]
			for _, p := range waiting[:4] {
				p.hearSuperseded()
			}
			time.Sleep(7 * time.Second)
			newest.hear("WAIT|", ok(1))
			newest.wantOpen()
			newest.Close()
			holder.Close()
		})
	}
}

// TestWaiterGivesUp has a waiting connection that is itself taken over because
// of another upload: the one that it waited for is not free by that.
func TestWaiterGivesUp(t *testing.T) {
	serve(t, slowCommit(9*time.Second, nil), func(w *world) {
		holder, waiter, other, last := w.dial(), w.dial(), w.dial(), w.dial()
		holder.send(str(announceI), data(2, "abcde"), end("abcde"))
		waiter.send(str("g|proof=sha256|id=k|size=5|"))
		waiter.hear(ok(1))
		waiter.send(str(announceI))
		waiter.hear()
		other.send(str("g|proof=sha256|id=k|size=5|"))
		other.hear(ok(1))
		waiter.hearSuperseded()
		last.send(str(announceI))
		last.hear()
		time.Sleep(9 * time.Second)
		last.hear("WAIT|", ok(1))
		for _, p := range []*peer{holder, other, last} {
			p.Close()
		}
	})
}

// TestSupersededGivesUp has a connection that was taken over and has more
// announcements read ahead: they take nothing back.
func TestSupersededGivesUp(t *testing.T) {
	serve(t, slowCommit(3*time.Second, nil), func(w *world) {
		old, next := w.dial(), w.dial()
		old.send(str(announceI), data(2, "abcde"), end("abcde")+str(announceI)+str("g|proof=sha256|id=k|size=1|"))
		old.hear(ok(1))
		next.send(str(announceI), str("g|proof=sha256|id=k|size=1|"))
		time.Sleep(3 * time.Second)
		next.hear(ok(1), ok(2))
		old.hear("ERROR|code=superseded|upload=2|")
		old.wantClosed()
		next.wantOpen()
		next.Close()
	})
}

// TestCrossedTakeover has two connections that each announce what the other
// sends: one of them gets both.
func TestCrossedTakeover(t *testing.T) {
	for range 50 {
		serve(t, nil, func(w *world) {
			a, b := w.dial(), w.dial()
			a.send(str("a|proof=sha256|id=a|size=1|"))
			b.send(str("b|proof=sha256|id=b|size=1|"))
			a.hear(ok(1))
			b.hear(ok(1))
			go io.WriteString(a, str("b|proof=sha256|id=b|size=1|"))
			go io.WriteString(b, str("a|proof=sha256|id=a|size=1|"))
			synctest.Wait()
			saidA, saidB := fmt.Sprint(decode(a.heard())), fmt.Sprint(decode(b.heard()))
			won := fmt.Sprint([]string{ok(2)})
			lost := func(said string) bool { return said == fmt.Sprint([]string{superseded}) }
			if !(saidA == won && lost(saidB) || lost(saidA) && saidB == won) {
				t.Errorf("one was told %s, the other %s", saidA, saidB)
			}
			a.Close()
			b.Close()
		})
	}
}

// TestTakeoverInCreate has a connection that is taken over while the store
// reads what was left: the store is told to stop.
func TestTakeoverInCreate(t *testing.T) {
	serve(t, func(w *world) {
		leaves("i", "ab")(w)
		w.store.onOpen = func(done <-chan struct{}) error {
			select {
			case <-done:
				return errors.New("stopped")
			case <-time.After(6 * time.Second):
				return nil
			}
		}
	}, func(w *world) {
		old, next := w.dial(), w.dial()
		old.send(str(announceI))
		time.Sleep(time.Second)
		next.send(str(announceI))
		old.hearSuperseded()
		time.Sleep(6 * time.Second)
		next.hear("WAIT|", okFrom(1, "ab"))
		next.Close()
	})
}
