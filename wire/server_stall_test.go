package wire_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestWaitIsLife has a server that does not read for long: as long as it says
// WAIT, a client that cannot send goes on waiting.
func TestWaitIsLife(t *testing.T) {
	const size = 3 << 20
	for name, says := range map[string]bool{"says WAIT": true, "says nothing": false} {
		for what, do := range map[string]func(c *wire.Client) error{
			"upload": func(c *wire.Client) error { _, err := c.Upload(bg, known(size), xs(size)); return err },
			"blob":   func(c *wire.Client) error { _, err := c.Blob(bg, xs(size), size); return err },
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				against(t, func(s *script) {
					if what == "upload" {
						s.want("f|size=3145728|")
						s.say(ok(1))
					}
					for range 20 {
						time.Sleep(5 * time.Second)
						if says {
							s.say("WAIT|")
						}
					}
					if !says {
						return
					}
					if what == "blob" {
						s.want("Data 3145728")
						s.say(kept("b", strings.Repeat("x", size)))
						return
					}
					for got := s.next(); got != endOf(size); got = s.next() {
						if got != "Data 1048576" && got != "Data 0" {
							t.Errorf("the client sent %.200q", got)
							return
						}
					}
					s.say(saved(1, "f", strings.Repeat("x", size)))
				}, func(t *testing.T, nc net.Conn) {
					c := wire.NewClient(nc, 0)
					defer c.Close()
					begun := time.Now()
					err := do(c)
					if took := time.Since(begun); says != (took >= 100*time.Second) {
						t.Errorf("after %v: %v", took, err)
					}
					if says && err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// readsSlowly has a store that reads for d what was left of the files with an ID
// called big, unless the connection is taken over.
func readsSlowly(d time.Duration) func(*world) {
	return func(w *world) {
		leaves("i", "ab")(w)
		w.store.onCreate = func(a wire.Announcement) error {
			if a.Name == "big" {
				time.Sleep(d)
			}
			return nil
		}
	}
}

// TestSlowResumeAhead has a store that reads long what was left of a file that is
// not the oldest: those before it are received and published meanwhile.
func TestSlowResumeAhead(t *testing.T) {
	serve(t, readsSlowly(time.Hour), func(w *world) {
		p := w.dial()
		p.send(str("other|size=1|"), str("big|proof=sha256|id=i|size=3|"), str("third|size=1|"), str("fourth|proof=sha256|id=k|size=1|"))
		p.hear(ok(1))
		p.send(data(2, "x"), end("x"))
		p.hear(saved(1, "other", "x"))
		for range time.Hour/(5*time.Second) - 1 {
			time.Sleep(5 * time.Second)
			p.hear("WAIT|")
		}
		time.Sleep(5 * time.Second)
		if said := decode(p.heard()); len(said) < 3 || strings.Join(said[len(said)-3:], "") != okFrom(2, "ab")+ok(3)+ok(4) {
			t.Errorf("the server said %q", said)
		}
		p.send(data(2, "c"), end("abc"), data(2, "y"), end("y"), data(2, "z"), end("z"))
		p.hear(saved(2, "big", "abc"), saved(3, "third", "y"), saved(4, "fourth", "z"))
		p.Close()
	})
}

// TestSlowResumeTakenOver has the client come back on another connection while the
// first still reads what was left.
func TestSlowResumeTakenOver(t *testing.T) {
	serve(t, func(w *world) {
		leaves("i", "ab")(w)
		w.store.onOpen = func(done <-chan struct{}) error {
			if len(w.store.announced) == 2 {
				<-done // it goes on reading until it is told to stop
				return context.Canceled
			}
			return nil
		}
	}, func(w *world) {
		p := w.dial()
		p.send(str("other|size=1|"), str("big|proof=sha256|id=i|size=3|"))
		p.hear(ok(1))
		q := w.dial()
		q.send(str("big|proof=sha256|id=i|size=3|"))
		q.hear(okFrom(1, "ab"))
		p.hear("ERROR|code=superseded|upload=2|")
		p.wantClosed()
		q.send(data(2, "c"), end("abc"))
		q.hear(saved(1, "big", "abc"))
		q.Close()
	})
}

// TestSlowResumeCut has the connection end meanwhile: the store is told to stop
// reading, and nothing stays in use.
func TestSlowResumeCut(t *testing.T) {
	serve(t, func(w *world) {
		leaves("i", "ab")(w)
		w.store.onOpen = func(done <-chan struct{}) error {
			if len(w.store.announced) == 2 {
				<-done
				return context.Canceled
			}
			return nil
		}
	}, func(w *world) {
		p := w.dial()
		p.send(str("other|size=1|"), str("big|proof=sha256|id=i|size=3|"), str("third|proof=sha256|id=k|size=1|"))
		p.hear(ok(1))
		p.Close()
		synctest.Wait()
		q := w.dial()
		q.send(str("big|proof=sha256|id=i|size=3|"), str("third|proof=sha256|id=k|size=1|"))
		q.hear(okFrom(1, "ab"), ok(2))
		q.Close()
	})
}

// TestSlowOfferCut is TestSlowResumeCut for the oldest file: what tells that the client has
// gone is that nobody can tell it that the server is at work.
func TestSlowOfferCut(t *testing.T) {
	stopped := make(chan struct{})
	serve(t, func(w *world) {
		w.store.onOpen = func(done <-chan struct{}) error {
			<-done
			close(stopped)
			return context.Canceled
		}
	}, func(w *world) {
		p := w.dial()
		p.send(str("big|proof=sha256|id=i|size=3|"))
		synctest.Wait()
		p.Close()
		time.Sleep(11 * time.Second)
		select {
		case <-stopped:
		default:
			t.Error("the store still reads")
		}
	})
}

// TestRefusedBeside has many files refused that are not the oldest: each makes room
// for another one, and what comes belongs to those accepted.
func TestRefusedBeside(t *testing.T) {
	serve(t, refuses(func(a wire.Announcement) error {
		if a.Name == "no" {
			return &wire.Error{Code: wire.CodeNoSpace, Text: "full"}
		}
		return nil
	}), func(w *world) {
		p := w.dial()
		p.send(str("first|size=1|"))
		p.hear(ok(1))
		n := 1
		for range 2 * wire.MaxAhead {
			n++
			p.send(str(fmt.Sprintf("no|proof=sha256|id=%d|size=1|", n)))
			p.hear(fmt.Sprintf("ERROR|code=no-space|upload=%d|", n))
		}
		p.send(str("last|proof=sha256|id=last|size=1|"))
		p.hear(ok(n + 1))
		p.send(data(2, "x"), end("x"), data(2, "y"), end("y"))
		p.hear(saved(1, "first", "x"), saved(n+1, "last", "y"))
		p.Close()
	})
}

// TestPanicAhead has the store fail in the middle of a file that is not the oldest:
// that ends the connection, and gives back all that it had.
func TestPanicAhead(t *testing.T) {
	serve(t, func(w *world) {
		sharing(2, new(openFiles))(w)
		w.store.onCreate = func(a wire.Announcement) error {
			if a.Name == "boom" {
				panic("boom")
			}
			return nil
		}
	}, func(w *world) {
		for range 3 {
			p := w.dial()
			p.Write([]byte(str("a|size=1|") + str("boom|proof=sha256|id=i|size=1|") + str("c|proof=sha256|id=k|size=1|")))
			<-p.done
			synctest.Wait() // it gives back what it had
		}
		q := w.dial()
		q.send(str("a|size=1|"), str("b|proof=sha256|id=i|size=1|"), str("c|proof=sha256|id=k|size=1|"))
		q.hear(ok(1), ok(2), ok(3))
		q.Close()
	})
}
