package wire_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

// gates hold every Commit until a test lets it go on, with an error or without.
type gates struct {
	mu      sync.Mutex
	open    map[string]chan error
	waiting []string // the names in Commit now
	most    int      // how many there were at once
}

func (g *gates) of(name string) chan error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = map[string]chan error{}
	}
	if g.open[name] == nil {
		g.open[name] = make(chan error)
	}
	return g.open[name]
}

func (g *gates) commit(f *file) error {
	gate := g.of(f.Name)
	g.mu.Lock()
	g.waiting = append(g.waiting, f.Name)
	g.most = max(g.most, len(g.waiting))
	g.mu.Unlock()
	err := <-gate
	g.mu.Lock()
	g.waiting = slices.DeleteFunc(g.waiting, func(s string) bool { return s == f.Name })
	g.mu.Unlock()
	if err != nil && err.Error() == "panic" {
		panic("boom")
	}
	return err
}

// wantCommitting checks which files the store is publishing.
func (g *gates) wantCommitting(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if got := slices.Sorted(slices.Values(g.waiting)); !slices.Equal(got, want) {
		t.Errorf("in Commit are %q, want %q", got, want)
	}
}

// serveGated is serve with a store whose Commits a test lets go on.
func serveGated(t *testing.T, test func(w *world, g *gates)) {
	t.Helper()
	var g *gates
	serve(t, func(w *world) {
		g = &gates{}
		w.store.onCommit = g.commit
	}, func(w *world) { test(w, g) })
}

// whole is an upload without its announcement: contents that are its name, END.
func whole(name string) string { return data(2, name) + end(name) }

// announced is what announces files, and accepted what the server says to it.
func announced(names ...string) (send string, hear []string) {
	for i, name := range names {
		send += str(name + "|")
		hear = append(hear, ok(i+1))
	}
	return send, hear
}

// TestAnswersInOrder publishes files in every order.
func TestAnswersInOrder(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	permute(names, func(order []string) {
		t.Run(strings.Join(order, ""), func(t *testing.T) {
			serveGated(t, func(w *world, g *gates) {
				p := w.dial()
				send, hear := announced("a", "b", "x", "c", "d")
				p.send(send)
				p.hear(hear...)
				p.send(whole("a"), whole("b"), str("hi"), data(2, "x"), str("CANCEL|"), whole("c"), whole("d"), str("bye"), str("HELLO|"))
				g.wantCommitting(t, names...)
				answers := [][]string{
					{saved(1, "a", "a")},
					{saved(2, "b", "b"), "Message: hi", "ERROR|code=cancelled|upload=3|"},
					{saved(4, "c", "c")},
					{saved(5, "d", "d"), "Message: bye", "ERROR|code=unsupported|"},
				}
				known, told := map[string]bool{}, 0
				for _, name := range order {
					g.of(name) <- nil
					known[name] = true
					var want []string
					for told < len(names) && known[names[told]] {
						want = append(want, answers[told]...)
						told++
					}
					p.hear(want...)
				}
				p.send(str("still there"))
				p.hear("Message: still there")
				p.Close()
			})
		})
	})
}

func permute(of []string, do func([]string)) {
	var rec func(n int)
	rec = func(n int) {
		if n == len(of) {
			do(slices.Clone(of))
			return
		}
		for i := n; i < len(of); i++ {
			of[n], of[i] = of[i], of[n]
			rec(n + 1)
			of[n], of[i] = of[i], of[n]
		}
	}
	of = slices.Clone(of)
	rec(0)
}

// TestBlobsInOrder has blobs, one of which is refused, whose answers only their
// order tells apart.
func TestBlobsInOrder(t *testing.T) {
	slow := make(chan struct{})
	serve(t, func(w *world) {
		slow = make(chan struct{})
		limit(10)(w)
		w.store.onCommit = func(f *file) error {
			if f.body.String() == "first" {
				<-slow
			}
			return nil
		}
	}, func(w *world) {
		p := w.dial()
		p.send(data(2, "first"), data(2, "much too large"), data(2, "third"))
		p.hear()
		close(slow)
		p.hear(kept("#1", "first"), "ERROR|code=too-large|", kept("#2", "third"))
		p.Close()
	})
}

// TestFailuresInOrder has a store that fails in the middle.
func TestFailuresInOrder(t *testing.T) {
	serveGated(t, func(w *world, g *gates) {
		p := w.dial()
		send, _ := announced("a", "b", "c")
		p.send(send, whole("a"), whole("b"), whole("c"))
		p.heard()
		g.of("c") <- nil
		g.of("b") <- &wire.Error{Code: wire.CodeNoSpace, Text: "full"}
		p.hear()
		g.of("a") <- errors.New("secret")
		p.hear("ERROR|code=internal|upload=1|", "ERROR|code=no-space|upload=2|", saved(3, "c", "c"))
		w.wantDid("upload c")
		p.Close()
	})
}

// TestSameNameInOrder has two files of one name and another: the second is not
// published before the first.
func TestSameNameInOrder(t *testing.T) {
	serveGated(t, func(w *world, g *gates) {
		p := w.dial()
		send, _ := announced("a", "b", "a")
		p.send(send, whole("a"), whole("b"), whole("a")+str("hi"))
		p.heard()
		g.wantCommitting(t, "a", "b")
		g.of("b") <- nil
		p.hear()
		g.of("a") <- nil
		p.hear(saved(1, "a", "a"), saved(2, "b", "b"))
		g.wantCommitting(t, "a")
		g.of("a") <- nil
		p.hear(saved(3, "a", "a")+"unchanged=1|", "Message: hi")
		p.Close()
	})
}

// TestSameIDAgain announces an upload again that is being published, on the
// same connection: it waits.
func TestSameIDAgain(t *testing.T) {
	serveGated(t, func(w *world, g *gates) {
		p := w.dial()
		p.send(str("f|proof=sha256|id=i|size=1|"), whole("f"), str("g|proof=sha256|id=i|size=1|")+str("h|proof=sha256|id=i|size=1|"))
		p.hear(ok(1))
		time.Sleep(5 * time.Second)
		p.hear("WAIT|")
		g.of("f") <- nil
		said := decode(p.heard())
		if orders := fmt.Sprint(byOrder(said)); orders != fmt.Sprint([3][]string{{ok(2), "ERROR|code=in-use|upload=3|"}, {saved(1, "f", "f")}}) {
			t.Errorf("the server said %q", said)
		}
		next := w.dial() // the claim is the second's now
		next.send(str("g|proof=sha256|id=i|size=1|"))
		next.hear(ok(1))
		p.hear("ERROR|code=superseded|upload=2|")
		p.wantClosed()
		next.Close()
	})
}

// TestIdleBehindAnswers has a client that waits for an answer for longer than it
// may be idle: its time begins with the answer.
func TestIdleBehindAnswers(t *testing.T) {
	for name, more := range map[string]string{"idle": "", "in another upload": str("g|")} {
		t.Run(name, func(t *testing.T) {
			serveGated(t, func(w *world, g *gates) {
				p := w.dial()
				p.send(str("f|"), whole("f"), more)
				time.Sleep(12 * time.Minute)
				p.wantOpen()
				p.heard()
				g.of("f") <- nil
				p.hear(saved(1, "f", "f"))
				p.lasts(5 * time.Minute)
				p.hear(timeoutReply)
			})
		})
	}
	t.Run("for less than a WAIT", func(t *testing.T) {
		serve(t, func(w *world) {
			slowCommit(3*time.Second, nil)(w)
			w.server.IdleTimeout = time.Second
		}, func(w *world) {
			p := w.dial()
			p.send(str("f|"), whole("f"))
			p.hear(ok(1))
			p.lasts(4 * time.Second)
			p.hear(saved(1, "f", "f"), timeoutReply)
		})
	})
}

// TestCommitIsNotCancelled has ends of every kind while files are being
// published: they still are, and their context does not end.
func TestCommitIsNotCancelled(t *testing.T) {
	tests := []struct {
		name string
		how  func(w *world, p *peer)
		hear []string
	}{
		{"Close", func(w *world, p *peer) { w.server.Close() }, nil},
		{"connection lost", func(w *world, p *peer) { p.Close() }, nil},
		{"protocol error", func(w *world, p *peer) { p.send("\x00") }, hear(saved(1, "a", "a"), saved(2, "b", "b"), "ERROR|code=protocol|")},
		{"end of the stream", func(w *world, p *peer) { p.CloseWrite() }, hear(saved(1, "a", "a"), saved(2, "b", "b"))},
		{"end of the stream in a message", func(w *world, p *peer) { p.send("\x09"); p.CloseWrite() }, hear(saved(1, "a", "a"), saved(2, "b", "b"))},
		{"taken over", func(w *world, p *peer) {
			next := w.dial()
			next.send(str("c|proof=sha256|id=i|size=2|"))
			next.hear(okFrom(1, "c"))
			next.Close()
		}, hear("ERROR|code=superseded|upload=3|")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serveGated(t, func(w *world, g *gates) {
				p := w.dial()
				p.send(str("a|proof=sha256|id=a|size=1|"), str("b|"), str("c|proof=sha256|id=i|size=2|"))
				p.hear(ok(1), ok(2), ok(3))
				p.send(whole("a"), whole("b"), data(2, "c"))
				g.wantCommitting(t, "a", "b")
				tt.how(w, p)
				synctest.Wait()
				g.of("b") <- nil
				g.of("a") <- nil
				<-p.done
				p.hear(tt.hear...)
				p.Close()
				synctest.Wait()
				w.store.wantFiles(t, map[string]string{"a": "a", "b": "b"})
				w.wantDidInAnyOrder("upload a", "upload b")
				if tt.name != "Close" {
					next := w.dial()
					next.send(str("a|proof=sha256|id=a|size=1|")) // nobody holds it any more
					next.hear(ok(1))
					next.Close()
				}
			})
		})
	}
}
