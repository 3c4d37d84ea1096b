package wire_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/wire"
)

// shutdown runs Shutdown and returns where its result will be.
func (w *world) shutdown(ctx context.Context) chan error {
	done := make(chan error, 1)
	go func() { done <- w.server.Shutdown(ctx) }()
	synctest.Wait()
	return done
}

func TestShutdownClosesTheIdle(t *testing.T) {
	serve(t, nil, func(w *world) {
		fresh, used := w.dial(), w.dial()
		used.send(str("hi"))
		used.hear("Message: hi")
		begin := time.Now()
		must(t, <-w.shutdown(context.Background()))
		if d := time.Since(begin); d != 0 {
			t.Errorf("Shutdown of idle connections took %v", d)
		}
		fresh.wantClosed()
		used.wantClosed()
		if err := w.server.Serve(newListener()); err != wire.ErrServerClosed {
			t.Errorf("Serve after Shutdown: %v", err)
		}
	})
}

func TestShutdownLetsUploadsFinish(t *testing.T) {
	serve(t, nil, func(w *world) {
		p := w.dial()
		p.send(str("f|"), data(2, "x"))
		p.hear(ok(1))
		done := w.shutdown(context.Background())
		p.send(str("new|"))
		p.hear("ERROR|code=shutdown|upload=2|")
		p.send(data(2, "y"))
		time.Sleep(time.Minute)
		p.wantOpen()
		p.send(end("xy"))
		p.hear(saved(1, "f", "xy"), "ERROR|code=shutdown|")
		p.wantClosed()
		must(t, <-done)
		w.store.wantFiles(t, map[string]string{"f": "xy"})
	})
}

func TestShutdownDuringCommit(t *testing.T) {
	release := make(chan struct{})
	serve(t, func(w *world) {
		release = make(chan struct{})
		w.store.onCommit = func(*file) error { <-release; return nil }
	}, func(w *world) {
		p := w.dial()
		p.send(str("f|"))
		p.hear(ok(1))
		p.send(end(""))
		done := w.shutdown(context.Background())
		p.wantOpen()
		close(release)
		p.hear(saved(1, "f", ""), "ERROR|code=shutdown|")
		p.wantClosed()
		must(t, <-done)
	})
}

// TestShutdownSendsReplies has a reply that is on its way when Shutdown comes.
func TestShutdownSendsReplies(t *testing.T) {
	serve(t, nil, func(w *world) {
		p := w.dialDeaf()
		p.send(data(2, "x"))
		synctest.Wait()
		done := w.shutdown(context.Background())
		go p.listen()
		p.hear(kept("#1", "x"), "ERROR|code=shutdown|")
		p.wantClosed()
		must(t, <-done)
	})
}

func TestShutdownGivesUp(t *testing.T) {
	serve(t, nil, func(w *world) {
		p := w.dial()
		p.send(str("f|"), data(2, "x"))
		p.heard()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := <-w.shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		p.wantOpen()
		w.server.Close()
		p.wantClosed()
	})
}

// TestClose ends connections in every state at once.
func TestClose(t *testing.T) {
	serve(t, func(w *world) {
		w.store.onBytes = func(f *file) error { return nil }
	}, func(w *world) {
		var peers []*peer
		for _, sent := range []string{"", "\x01", str("hi"), str("f|"), str("f|") + header(2, 9) + "x", header(2, 9) + "x"} {
			p := w.dial()
			p.send(sent)
			peers = append(peers, p)
		}
		synctest.Wait()
		w.server.Close()
		begin := time.Now()
		for _, p := range peers {
			<-p.done
			p.Close()
		}
		must(t, func() error {
			if err := <-w.served; err != wire.ErrServerClosed {
				return err
			}
			return nil
		}())
		w.served <- wire.ErrServerClosed // for finish
		if d := time.Since(begin); d != 0 {
			t.Errorf("Close took %v", d)
		}
		w.store.wantFiles(t, nil)
	})
}

func TestPanicEndsOneConnection(t *testing.T) {
	boom := func(f *file) error {
		if f.Name == "boom" || f.Name == "" {
			panic("boom")
		}
		return nil
	}
	upload := str("boom|") + str("other|") + str("boom|") + data(2, "x") + end("x")
	tests := []struct {
		name  string
		adapt func(*world)
		send  string
	}{
		{"Create", refuses(func(a wire.Announcement) error { return boom(&file{Announcement: a}) }), str("boom|")},
		{"ReadFrom", func(w *world) { w.store.onBytes = boom }, upload},
		{"ReadFrom of a blob", func(w *world) { w.store.onBytes = boom }, data(2, "x")},
		{"Commit", func(w *world) { w.store.onCommit = boom }, upload},
		{"Commit of a blob", func(w *world) { w.store.onCommit = boom }, data(2, "")},
		{"Abort", func(w *world) { w.store.onAbort = boom }, str("boom|") + str("CANCEL|")},
		{"Suspend", func(w *world) { w.store.onSuspend = boom }, str("boom|") + str("boom|") + str("boom|") + str("other|") + "\x00"},
		{"Restart", func(w *world) { w.store.onRestart = boom }, str("boom|") + str("RESTART|")},
		{"MakeFolder", func(w *world) { w.store.onFolder = func(string) error { panic("boom") } }, str("boom/|")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			serve(t, func(w *world) {
				w.server.Log = zerolog.New(&log)
				tt.adapt(w)
			}, func(w *world) {
				bystander, p := w.dial(), w.dial()
				p.Write([]byte(tt.send))
				<-p.done
				p.Close()
				synctest.Wait()
				if !strings.Contains(log.String(), `"panic":"boom","stack":"goroutine `) {
					t.Errorf("the log does not say where it was: %s", &log)
				}
				bystander.send(str("hi"))
				bystander.hear("Message: hi")
				bystander.Close()
				w.store.wantFiles(t, nil)
			})
		})
	}
}

// TestAcceptBacksOff has a listener that is out of descriptors for a while.
func TestAcceptBacksOff(t *testing.T) {
	serve(t, nil, func(w *world) {
		full := &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
		var waits []time.Duration
		for range 10 {
			begin := time.Now()
			w.l.accept <- full
			waits = append(waits, time.Since(begin))
		}
		const ms = time.Millisecond
		want := []time.Duration{0, 5 * ms, 10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, 1000 * ms}
		for i := range want {
			if waits[i] != want[i] {
				t.Errorf("accepts came after %v, want %v", waits, want)
				break
			}
		}
		p := w.dial()
		p.send(str("hi"))
		p.hear("Message: hi")
		p.Close()
	})
}

func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		p := w.dial()
		p.send(str("f|"))
		p.hear(ok(1))
		broken := errors.New("broken for good")
		w.l.accept <- broken
		synctest.Wait()
		select {
		case err := <-w.served:
			t.Errorf("Serve returned %v before its connection ended", err)
		default:
		}
		p.Close()
		if err := <-w.served; err != broken {
			t.Errorf("Serve: %v", err)
		}
		w.store.balance(t)
	})
}

func TestPing(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want []string
	}{
		{"well", nil, nil},
		{"store failed", &wire.Error{Code: wire.CodeReadOnly, Text: "fsync failed"}, hear("ERROR|code=read-only|")},
		{"store failed in words of its own", errors.New("secret"), hear("ERROR|code=internal|")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, func(w *world) { w.store.err = tt.err }, func(w *world) {
				p := w.dial()
				must(t, p.CloseWrite())
				p.hear(tt.want...)
				p.wantClosed()
				w.wantDid("ping")
			})
		})
	}
}
