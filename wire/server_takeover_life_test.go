package wire_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestPanicReleases checks that a fault of the store in one connection does not
// keep an id from the next.
func TestPanicReleases(t *testing.T) {
	once := func() func(*file) error {
		first := true
		return func(*file) error {
			if first {
				first = false
				panic("boom")
			}
			return nil
		}
	}
	tests := []struct {
		name  string
		adapt func(*store)
		send  string
	}{
		{"Create", func(s *store) {
			boom := once()
			s.onCreate = func(wire.Announcement) error { return boom(nil) }
		}, str(announceI)},
		{"Resumed", func(s *store) { s.onOffer = once() }, str(announceI)},
		{"ReadFrom", func(s *store) { s.onBytes = once() }, str(announceI) + data(2, "ab")},
		{"Restart", func(s *store) { s.onRestart = once() }, str(announceI) + str("RESTART|")},
		{"Commit", func(s *store) { s.onCommit = once() }, str("f|proof=sha256|id=i|size=0|") + end("")},
		{"Abort", func(s *store) { s.onAbort = once() }, str(announceI) + str("CANCEL|")},
		{"Suspend", func(s *store) { s.onSuspend = once() }, str(announceI) + "\x00"},
		{"Suspend of others", func(s *store) {
			s.onSuspend = func(f *file) error {
				if f.ID != "i" {
					panic("boom")
				}
				return nil
			}
		}, str("x|proof=sha256|id=x|size=1|") + str("y|proof=sha256|id=y|size=1|") + str("z|proof=sha256|id=z|size=1|") + str(announceI) + "\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, func(w *world) { tt.adapt(w.store) }, func(w *world) {
				p := w.dial()
				p.Write([]byte(tt.send))
				<-p.done
				p.Close()
				synctest.Wait()
				next := w.dial()
				next.send(str("f|proof=sha256|id=i|size=0|"), end(""))
				next.hear(ok(1), saved(1, "f", ""))
				next.Close()
			})
		})
	}
}

// TestStopWhileWaiting ends the server while a connection waits for another's
// Commit.
func TestStopWhileWaiting(t *testing.T) {
	wait := func(w *world) (old, next *peer) {
		old, next = w.dial(), w.dial()
		old.send(str(announceI), data(2, "abcde"), end("abcde"))
		old.hear(ok(1))
		next.send(str(announceI))
		next.hear()
		return old, next
	}
	t.Run("Shutdown", func(t *testing.T) {
		serve(t, slowCommit(3*time.Second, nil), func(w *world) {
			old, next := wait(w)
			done := w.shutdown(bg)
			time.Sleep(3 * time.Second)
			old.hear(superseded)
			next.hear("ERROR|code=shutdown|upload=1|", "ERROR|code=shutdown|")
			old.wantClosed()
			next.wantClosed()
			must(t, <-done)
			w.store.wantFiles(t, map[string]string{"f": "abcde"})
		})
	})
	t.Run("Close", func(t *testing.T) {
		serve(t, slowCommit(3*time.Second, nil), func(w *world) {
			old, next := wait(w)
			w.server.Close()
			old.wantClosed()
			next.wantClosed()
		})
	})
	t.Run("Shutdown refuses takeovers", func(t *testing.T) {
		serve(t, nil, func(w *world) {
			old, next := w.dial(), w.dial()
			old.send(str(announceI), data(2, "ab"))
			next.send(str("g|"))
			synctest.Wait()
			done := w.shutdown(bg)
			next.heard()
			next.send(str(announceI))
			next.hear("ERROR|code=shutdown|upload=2|")
			old.send(data(2, "cde"), end("abcde"))
			old.hear(ok(1), saved(1, "f", "abcde"), "ERROR|code=shutdown|")
			next.Close()
			must(t, <-done)
			old.Close()
		})
	})
}

// TestSupersededIsTold checks over TCP, where a careless close destroys what
// was sent before it, that a client that is still sending learns why it must
// stop: else it would come back and take over in its turn.
func TestSupersededIsTold(t *testing.T) {
	begun := make(chan struct{})
	store := &store{onBytes: func(*file) error {
		select {
		case begun <- struct{}{}:
		default:
		}
		return nil
	}}
	_, addr := listen(t, store)
	for range 20 {
		c := connect(t, addr)
		old := make(chan error, 1)
		const size = 1 << 30
		a := wire.Announcement{Name: "f", ID: "i", Size: size}
		go func() {
			_, err := c.Upload(bg, a, zeroFile{io.LimitReader(zeros{}, size)})
			old <- err
		}()
		<-begun
		nc, err := net.Dial("tcp", addr)
		must(t, err)
		_, err = io.WriteString(nc, str(fmt.Sprintf("f|proof=sha256|id=i|size=%d|", size)))
		must(t, err)
		refused := <-old
		refusal, told := errors.AsType[*wire.Error](refused)
		if !told || refusal.Code != wire.CodeSuperseded || c.Err() == nil {
			t.Errorf("Upload: %v; Usable is %v", refused, c.Err() == nil)
		}
		_, err = nc.Read(make([]byte, 1)) // the new one has the file
		must(t, err)
		_, err = io.WriteString(nc, str("CANCEL|"))
		must(t, err)
		nc.Close()
	}
}

type zeroFile struct{ io.Reader }

func (zeroFile) Seek(int64, int) (int64, error) { return 0, nil }
