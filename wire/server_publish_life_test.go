package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/wire"
)

// TestShutdownBehindAnswers has a client that waits for answers when the server
// goes down: it gets them first.
func TestShutdownBehindAnswers(t *testing.T) {
	serveGated(t, func(w *world, g *gates) {
		p, other := w.dial(), w.dial()
		p.send(str("a|"), str("b|"), whole("a"), whole("b"))
		p.heard()
		done := w.shutdown(bg)
		other.wantClosed()
		g.of("b") <- nil
		time.Sleep(20 * time.Minute)
		p.wantOpen()
		p.heard() // WAITs
		g.of("a") <- nil
		p.hear(saved(1, "a", "a"), saved(2, "b", "b"), "ERROR|code=shutdown|")
		p.wantClosed()
		must(t, <-done)
	})
}

// TestShutdownSendsAnswers has answers that are on their way when the server
// goes down.
func TestShutdownSendsAnswers(t *testing.T) {
	serveGated(t, func(w *world, g *gates) {
		p := w.dialDeaf()
		p.send(str("a|"))
		_, err := io.ReadFull(p, make([]byte, len(str(ok(1)))))
		must(t, err)
		p.send(whole("a"))
		g.of("a") <- nil
		synctest.Wait()
		done := w.shutdown(bg)
		go p.listen()
		p.hear(saved(1, "a", "a"), "ERROR|code=shutdown|")
		p.wantClosed()
		must(t, <-done)
	})
}

// TestDeafAnswered has a client that takes no answers. The connection ends when
// the first has not moved for too long, and all files are kept.
func TestDeafAnswered(t *testing.T) {
	serveGated(t, func(w *world, g *gates) {
		p := w.dialDeaf()
		p.send(str("a|proof=sha256|id=a|size=1|"))
		_, err := io.ReadFull(p, make([]byte, len(str(ok(1)))))
		must(t, err)
		p.send(whole("a"))
		begin := time.Now()
		g.of("a") <- nil
		synctest.Wait()
		_, err = p.Write([]byte(str("hi"))) // read before the answer had to leave
		must(t, err)
		if _, err = p.Write([]byte(str("hi"))); err == nil {
			t.Error("the server read on although its answer was not taken")
		}
		if d := time.Since(begin); d != 30*time.Second {
			t.Errorf("the server waited %v for its answer to be taken", d)
		}
		p.Close()
		w.store.wantFiles(t, map[string]string{"a": "a"})
		next := w.dial()
		next.send(str("a|proof=sha256|id=a|size=1|"))
		next.hear(ok(1))
		next.Close()
	})
}

// TestPanicAmongMany has a fault in one of many Commits, with the server waiting
// for the answers to become fewer: the connection ends, and the others are kept.
func TestPanicAmongMany(t *testing.T) {
	const many = 200
	var log bytes.Buffer
	var g *gates
	serve(t, func(w *world) {
		g = &gates{}
		w.server.Log = zerolog.New(zerolog.SyncWriter(&log))
		w.store.onCommit = g.commit
	}, func(w *world) {
		p := w.dial()
		var sent strings.Builder
		for i := range many {
			name := fmt.Sprint("f", i)
			sent.WriteString(str(name+"|proof=sha256|id="+name+"|size="+fmt.Sprint(len(name))+"|") + whole(name))
		}
		var sending sync.WaitGroup
		sending.Go(func() { io.WriteString(p, sent.String()) })
		synctest.Wait()
		begun := slices.Clone(g.waiting)
		g.of("f1") <- errors.New("panic")
		synctest.Wait()
		p.wantClosed()
		sending.Wait()
		want := map[string]string{}
		for _, name := range begun {
			if name != "f1" {
				want[name] = name
			}
		}
		g.mu.Lock()
		rest := slices.Clone(g.waiting)
		g.mu.Unlock()
		for len(rest) > 0 {
			for _, name := range rest {
				g.of(name) <- nil
				want[name] = name
			}
			synctest.Wait()
			rest = slices.Clone(g.waiting)
		}
		w.store.wantFiles(t, want)
		if !strings.Contains(log.String(), `"panic":"boom"`) {
			t.Errorf("the log says nothing of it: %s", &log)
		}
		next := w.dial()
		next.send(str("x|proof=sha256|id=f1|size=1|"))
		next.hear(ok(1))
		next.Close()
	})
}

// TestEveryCutOfMany ends a conversation with several files under way after
// every one of its bytes, while the store publishes slowly and in any order.
// Every file whose END arrived is kept and reported, no other is, and the client
// hears the answers in order.
func TestEveryCutOfMany(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	var sent string
	var ends []int // behind each END
	for _, name := range names {
		sent += str(name + "|proof=sha256|id=" + name + "|size=1|")
	}
	for _, name := range names {
		sent += data(2, name)
		if name == "c" {
			sent += str("CANCEL|")
		} else {
			sent += end(name)
		}
		ends = append(ends, len(sent))
	}
	takes := map[string]time.Duration{"a": 3, "b": 1, "d": 4, "e": 2}
	for how, end := range map[string]func(*peer){
		"stream ends":       func(p *peer) { p.CloseWrite() },
		"connection breaks": func(p *peer) { p.Close() },
		"protocol error":    func(p *peer) { p.Write([]byte(strings.Repeat("\xff", 10))) },
		"server stops":      nil,
	} {
		t.Run(how, func(t *testing.T) {
			for cut := len(str("a|proof=sha256|id=a|size=1|")); cut <= len(sent); cut++ { // before, it might be something else
				serve(t, func(w *world) {
					w.store.onCommit = func(f *file) error { time.Sleep(takes[f.Name] * time.Second); return nil }
				}, func(w *world) {
					p := w.dial()
					p.send(sent[:cut])
					if end == nil {
						synctest.Wait()
						w.server.Close()
					} else {
						end(p)
					}
					<-p.done
					p.Close()
					time.Sleep(10 * time.Second)
					files, did := map[string]string{}, []string{}
					answers := []string{}
					for i, name := range names {
						switch {
						case cut < ends[i]:
						case name == "c":
							answers = append(answers, "ERROR|code=cancelled|upload=3|")
						default:
							files[name] = name
							did = append(did, "upload "+name)
							answers = append(answers, saved(i+1, name, name))
						}
					}
					w.store.wantFiles(t, files)
					w.wantDidInAnyOrder(did...)
					var said []string
					for _, s := range decode(p.got.String()) {
						if strings.HasPrefix(s, "SAVED|") || strings.Contains(s, "cancelled") {
							said = append(said, s)
						}
					}
					lost := end == nil || how == "connection breaks"
					if !slices.Equal(said, answers) && !(lost && len(said) < len(answers) && slices.Equal(said, answers[:len(said)])) {
						t.Errorf("the server said %q, want %q", said, answers)
					}
				})
				if t.Failed() {
					t.Fatalf("when it is cut after %q", sent[:cut])
				}
			}
		})
	}
}

// TestSupersededInMany has a connection with several files under way, one of
// which another connection takes over: it is told which.
func TestSupersededInMany(t *testing.T) {
	serveGated(t, func(w *world, g *gates) {
		old, next := w.dial(), w.dial()
		old.send(str("a|proof=sha256|id=a|size=1|"), str("b|proof=sha256|id=b|size=1|"), str("c|proof=sha256|id=c|size=2|"), whole("a"), whole("b"))
		old.hear(ok(1), ok(2), ok(3))
		next.send(str("b|proof=sha256|id=b|size=1|"))
		old.hear("ERROR|code=superseded|upload=2|")
		next.hear()
		g.of("a") <- nil
		next.hear()
		g.of("b") <- nil
		next.hear(ok(1))
		old.wantClosed()
		next.Close()
		w.store.wantFiles(t, map[string]string{"a": "a", "b": "b"})
	})
}

// A slowLog takes a second to write that a connection is superseded.
type slowLog struct{}

func (slowLog) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("superseded by")) {
		time.Sleep(time.Second)
	}
	return len(p), nil
}

// TestSupersededWaitsForWords has a connection that notices that it was taken
// over before the other one could say so.
func TestSupersededWaitsForWords(t *testing.T) {
	serve(t, func(w *world) {
		w.server.Log = zerolog.New(slowLog{})
		w.store.onOpen = func(done <-chan struct{}) error {
			select {
			case <-done:
				return errors.New("stopped")
			case <-time.After(time.Hour):
				return nil
			}
		}
	}, func(w *world) {
		old, next := w.dial(), w.dial()
		old.send(str(announceI))
		synctest.Wait()
		next.send(str(announceI))
		time.Sleep(2 * time.Second)
		old.hear(superseded)
		old.wantClosed()
		next.Close()
		w.server.Close()
	})
}

// TestReceivedBeforeAnswers has Received take long, for some files longer than
// for others: no client hears of a file before it has returned.
func TestReceivedBeforeAnswers(t *testing.T) {
	var mu sync.Mutex
	told := map[string]bool{}
	serve(t, func(w *world) {
		w.server.Received = func(e wire.Event) {
			time.Sleep(time.Duration(5-len(e.Name)) * time.Second)
			mu.Lock()
			defer mu.Unlock()
			told[e.Name] = true
		}
	}, func(w *world) {
		p := w.dial()
		send, _ := announced("a", "bb", "ccc")
		p.send(send, whole("a"), whole("bb"), whole("ccc"))
		for range 10 {
			for _, s := range decode(p.heard()) {
				c, _ := wire.ParseControl(strings.ReplaceAll(s, "|", "\x00"))
				if name := c.Get("name"); name != "" && !told[name] {
					t.Errorf("the server said %q before Received returned", s)
				}
			}
			time.Sleep(time.Second)
		}
		if len(told) != 3 {
			t.Errorf("Received was told of %v", told)
		}
		p.Close()
	})
}
