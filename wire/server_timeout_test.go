package wire_test

import (
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

const timeoutReply = "ERROR|code=timeout|"

// lasts checks that the server ends the connection after d, no sooner and no
// later. The server must not be stopped by what it says meanwhile.
func (p *peer) lasts(d time.Duration) {
	p.t.Helper()
	begin := time.Now()
	<-p.done
	if got := time.Since(begin); got != d {
		p.t.Errorf("the connection lasted %v, want %v", got, d)
	}
}

func TestIdleTimeout(t *testing.T) {
	tests := []struct {
		name   string
		adapt  func(*world)
		before string
		after  time.Duration
	}{
		{"nothing at all", nil, "", 5 * time.Minute},
		{"after a message", nil, str("hi"), 5 * time.Minute},
		{"between Data", nil, str("f|") + data(2, "x"), 5 * time.Minute},
		{"as the server says", func(w *world) { w.server.IdleTimeout = time.Second }, str("hi"), time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, tt.adapt, func(w *world) {
				p := w.dial()
				p.send(tt.before)
				p.heard()
				p.lasts(tt.after)
				p.hear(timeoutReply)
				w.store.wantFiles(t, nil)
			})
		})
	}
}

// drip sends one byte every so often, until the connection ends.
func (p *peer) drip(bytes string, every time.Duration) *sync.WaitGroup {
	var dripping sync.WaitGroup
	dripping.Go(func() {
		for i := range len(bytes) {
			if _, err := io.WriteString(p, bytes[i:i+1]); err != nil {
				return
			}
			time.Sleep(every)
		}
	})
	return &dripping
}

// TestWaitWhileReceiving sends a large Data slowly: its client may long be
// waiting for the answer.
func TestWaitWhileReceiving(t *testing.T) {
	const size = 40_000
	serve(t, nil, func(w *world) {
		p := w.dial()
		contents := strings.Repeat("x", size)
		whole := data(3, contents)
		p.send(whole[:len(whole)-12])
		p.drip(whole[len(whole)-12:], time.Second).Wait()
		p.hear("WAIT|", "WAIT|", kept("#1", contents))
	})
}

// TestHeaderTimeout drips the bytes of a String: that each of them is in time
// does not help.
func TestHeaderTimeout(t *testing.T) {
	tests := []struct {
		name   string
		before string
		drip   string
	}{
		{"header", str("hi"), "\x09\x00\x00\x00\x00\x00\x00\x00"},
		{"text", str("hi"), str(strings.Repeat("x", 4096))},
		{"second half of a String", str("hi") + str(strings.Repeat("x", 100))[:5], strings.Repeat("x", 100)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, nil, func(w *world) {
				p := w.dial()
				p.send(tt.before)
				p.heard()
				begin := time.Now()
				dripping := p.drip(tt.drip, 3*time.Second)
				<-p.done
				if d := time.Since(begin); d != 10*time.Second {
					t.Errorf("a message dripped for %v", d)
				}
				p.hear(timeoutReply)
				p.Close()
				dripping.Wait()
			})
		})
	}
}

// The first String of a connection may take a little longer, because it might
// be one of the lab dialect; but not for ever.
func TestHeaderTimeoutOfFirstString(t *testing.T) {
	serve(t, nil, func(w *world) {
		p := w.dial()
		begin := time.Now()
		dripping := p.drip(str(strings.Repeat("x", 4000)), 3*time.Second)
		<-p.done
		if d := time.Since(begin); d > 22*time.Second {
			t.Errorf("the first String dripped for %v", d)
		}
		p.hear(timeoutReply)
		p.Close()
		dripping.Wait()
	})
}

func TestProgressTimeout(t *testing.T) {
	for name, before := range map[string]string{
		"blob":        header(2, 5) + "x",
		"upload":      str("f|size=5|") + header(2, 5) + "x",
		"refused one": str("f|size=4|") + header(2, 5) + "x",
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, nil, func(w *world) {
				p := w.dial()
				p.send(before)
				p.heard()
				p.lasts(30 * time.Second)
				p.hear(timeoutReply)
				w.store.wantFiles(t, nil)
			})
		})
	}
}

// TestKeepAlive keeps an upload open with empty Data.
func TestKeepAlive(t *testing.T) {
	serve(t, nil, func(w *world) {
		p := w.dial()
		p.send(str("f|"))
		p.hear(ok(1))
		for range 10 {
			p.send(data(2, ""))
			time.Sleep(4 * time.Minute)
		}
		p.send(end(""))
		p.hear(saved(1, "f", ""))
		p.Close()
	})
}

// TestWriteStall has a client that does not take its replies.
func TestWriteStall(t *testing.T) {
	serve(t, nil, func(w *world) {
		p := w.dialDeaf()
		p.send(str("hi"))
		begin := time.Now()
		if _, err := p.Write([]byte(str("hi"))); err == nil {
			t.Error("the server read on although its reply was not taken")
		}
		if d := time.Since(begin); d != 30*time.Second {
			t.Errorf("the server waited %v for its reply to be taken", d)
		}
		go p.listen()
		p.hear()
		p.wantClosed()
	})
}

// TestLinger ends connections that the client does not end.
func TestLinger(t *testing.T) {
	serve(t, nil, func(w *world) {
		p := w.dial()
		p.send("\x00")
		p.hear("ERROR|code=protocol|")
		begin := time.Now()
		for {
			if _, err := io.WriteString(p, "still talking"); err != nil {
				break
			}
			time.Sleep(time.Second / 2)
		}
		if d := time.Since(begin); d < time.Second || d > 3*time.Second {
			t.Errorf("the server listened for %v to a connection that it had ended", d)
		}
	})
}

// TestWait has commits that take long.
func TestWait(t *testing.T) {
	slow := func(w *world) {
		w.store.onCommit = func(*file) error { time.Sleep(12 * time.Second); return nil }
	}
	tests := []struct{ name, before, send, reply string }{
		{"upload", str("f|"), data(2, "x") + end("x"), saved(1, "f", "x")},
		{"blob", "", data(2, "x"), kept("#1", "x")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, slow, func(w *world) {
				p := w.dial()
				p.send(tt.before)
				p.heard()
				p.send(tt.send)
				for range 2 {
					time.Sleep(5*time.Second - 1)
					p.hear()
					time.Sleep(time.Nanosecond)
					p.hear("WAIT|")
				}
				time.Sleep(2 * time.Second)
				p.hear(tt.reply)
				time.Sleep(time.Minute)
				p.hear()
				p.Close()
			})
		})
	}
}

// TestReceivedFirst checks that Received is told after the file is kept and
// before the client is.
func TestReceivedFirst(t *testing.T) {
	for name, send := range map[string]string{
		"upload": str("f|") + end(""), "blob": data(2, ""), "say": str("hi"),
	} {
		t.Run(name, func(t *testing.T) {
			told := 0
			serve(t, func(w *world) {
				w.server.Received = func(e wire.Event) {
					told++
					if len(w.store.visible()) == 0 && e.Op != "say" {
						t.Error("told before anything was kept")
					}
					time.Sleep(time.Second)
				}
			}, func(w *world) {
				p := w.dial()
				p.send(str("go|"), str("CANCEL|"))
				p.heard()
				p.send(send)
				synctest.Wait()
				for _, reply := range decode(p.heard()) {
					if !strings.HasPrefix(reply, "OK|upload=") {
						t.Errorf("the client was told %q first", reply)
					}
				}
				time.Sleep(time.Second)
				if p.heard() == "" || told != 1 {
					t.Errorf("no reply, or Received called %d times", told)
				}
				p.Close()
			})
		})
	}
}
