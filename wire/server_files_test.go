package wire_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

// An openFiles store holds a descriptor for every file that was begun and not
// ended, as storage does.
type openFiles struct {
	wire.Store
	open, most       atomic.Int64
	calls, mostCalls atomic.Int64
}

func (c *openFiles) Create(ctx context.Context, a wire.Announcement) (wire.Upload, error) {
	u, err := c.Store.Create(ctx, a)
	if err != nil {
		return nil, err
	}
	f := &counted{Upload: u, in: c}
	if a.Size < 0 || a.Size > wire.LateSize || a.ID != "" || len(a.Proofs) > 0 {
		f.begin()
	}
	return f, nil
}

// most notes n if it is more than ever.
func most(most *atomic.Int64, n int64) {
	for old := most.Load(); old < n && !most.CompareAndSwap(old, n); old = most.Load() {
	}
}

type counted struct {
	wire.Upload
	in    *openFiles
	begun bool
}

func (c *counted) begin() {
	if !c.begun {
		c.begun = true
		most(&c.in.most, c.in.open.Add(1))
	}
}

func (c *counted) end() {
	if c.begun {
		c.in.open.Add(-1)
	}
}

func (c *counted) ReadFrom(r io.Reader) (int64, error) {
	c.begin()
	return c.Upload.ReadFrom(r)
}

func (c *counted) Commit(ctx context.Context, want wire.Sum) (wire.Saved, error) {
	c.begin()
	defer c.end()
	most(&c.in.mostCalls, c.in.calls.Add(1))
	defer c.in.calls.Add(-1)
	return c.Upload.Commit(ctx, want)
}

func (c *counted) Suspend() error {
	defer c.end()
	return c.Upload.Suspend()
}

func (c *counted) Abort() error {
	defer c.end()
	return c.Upload.Abort()
}

// sharing has so many files in the store beyond one of each connection, and counts
// them.
func sharing(n int, c *openFiles) func(*world) {
	return func(w *world) {
		c.Store = w.store
		w.server.Store = c
		w.server.MaxOpen = n
		w.server.MaxCalls = 4
	}
}

// TestMaxOpen has clients that announce as much as they may, and more files than
// there is room for: no file is refused, and never are there more.
func TestMaxOpen(t *testing.T) {
	const clients, ahead, shared = 5, wire.MaxAhead, 7
	var c openFiles
	serve(t, func(w *world) {
		sharing(shared, &c)(w)
		w.store.onCommit = func(*file) error { time.Sleep(time.Second); return nil }
	}, func(w *world) {
		var sending sync.WaitGroup
		for n := range clients {
			sending.Go(func() {
				near, far := newDuplex()
				w.l.accept <- roomy(far)
				client := wire.NewClient(roomy(near), 0)
				defer client.Close()
				var files []*wire.Transfer
				for i := range ahead {
					f, err := client.Announce(bg, sized(fmt.Sprint(n, "-", i), 3))
					if err != nil {
						t.Errorf("Announce: %v", err)
					}
					files = append(files, f)
				}
				for i, f := range files {
					if err := f.Send(bg, xs(3)); err != nil {
						t.Errorf("file %d: %v", i, err)
					}
				}
				client.Flush(bg)
				for i, f := range files {
					if _, err := f.Saved(bg); err != nil {
						t.Errorf("file %d: %v", i, err)
					}
				}
			})
		}
		sending.Wait()
		if n := len(w.store.visible()); n != clients*ahead {
			t.Errorf("%d of %d files were kept", n, clients*ahead)
		}
	})
	if n := c.most.Load(); n > clients+shared || n < shared {
		t.Errorf("%d files were open at once, and %d may", n, clients+shared)
	}
	if n := c.mostCalls.Load(); n != 4 {
		t.Errorf("%d files were published at once, and 4 may", n)
	}
}

// TestLate has a server that accepts what there is room for, in order, and the
// oldest in any case.
func TestLate(t *testing.T) {
	serveLate := func(t *testing.T, name string, adapt func(*world), test func(w *world, p *peer)) {
		t.Run(name, func(t *testing.T) {
			serve(t, func(w *world) {
				sharing(1, new(openFiles))(w)
				if adapt != nil {
					adapt(w)
				}
			}, func(w *world) {
				p := w.dial()
				test(w, p)
				p.Close()
			})
		})
	}
	abcd := str("a|") + str("b|") + str("c|") + str("d|")
	serveLate(t, "END", slowCommit(time.Second, nil), func(w *world, p *peer) {
		p.send(abcd)
		p.hear(ok(1), ok(2))
		p.send(end("")) // a is published, b is the oldest
		p.hear()
		p.send(end("")) // and b, so that c waits for the two
		p.hear()
		time.Sleep(time.Second)
		p.hear(saved(1, "a", ""), saved(2, "b", ""), ok(3), ok(4))
		p.send(end(""), end(""))
		time.Sleep(time.Second)
		p.hear(saved(3, "c", ""), saved(4, "d", ""))
	})
	serveLate(t, "CANCEL", nil, func(w *world, p *peer) {
		p.send(abcd)
		p.hear(ok(1), ok(2))
		p.send(str("CANCEL|"))
		p.hear("ERROR|code=cancelled|upload=1|", ok(3))
		p.send(str("CANCEL|"))
		p.hear("ERROR|code=cancelled|upload=2|", ok(4))
	})
	serveLate(t, "refused", func(w *world) {
		slowCommit(time.Second, nil)(w)
		refuses(func(a wire.Announcement) error {
			if a.Name == "c" {
				return &wire.Error{Code: wire.CodeNoSpace, Text: "full"}
			}
			return nil
		})(w)
	}, func(w *world, p *peer) {
		p.send(abcd)
		p.hear(ok(1), ok(2))
		p.send(end(""), data(2, "x"), end("x"))
		time.Sleep(time.Second)
		p.hear(saved(1, "a", ""), saved(2, "b", "x"), "ERROR|code=no-space|upload=3|", ok(4))
		p.send(end(""))
		time.Sleep(time.Second)
		p.hear(saved(4, "d", ""))
	})
	serveLate(t, "refused at once", nil, func(w *world, p *peer) {
		p.send(str("a|"), str("b|"), str("c|"), str("d|digest=md5|"))
		p.hear(ok(1), ok(2), "ERROR|code=unsupported|upload=4|")
	})
	serveLate(t, "too many", nil, func(w *world, p *peer) {
		p.send(strings.Repeat(str("x|"), wire.MaxAhead+1))
		p.hear(ok(1), ok(2), fmt.Sprintf("ERROR|code=too-many|upload=%d|", wire.MaxAhead+1))
	})
	serveLate(t, "a blob behind", slowCommit(time.Second, nil), func(w *world, p *peer) {
		p.send(str("a|"), str("b|"), end(""), end(""), data(2, "x"))
		p.hear(ok(1), ok(2))
		time.Sleep(2 * time.Second)
		p.hear(saved(1, "a", ""), saved(2, "b", ""), kept("#1", "x"))
	})
	serveLate(t, "shutdown", slowCommit(time.Second, nil), func(w *world, p *peer) {
		p.send(abcd)
		p.hear(ok(1), ok(2))
		done := w.shutdown(bg)
		p.send(end(""), end(""))
		time.Sleep(time.Second)
		p.hear(saved(1, "a", ""), saved(2, "b", ""),
			"ERROR|code=shutdown|upload=3|", "ERROR|code=shutdown|upload=4|", "ERROR|code=shutdown|")
		p.wantClosed()
		must(t, <-done)
	})
	serveLate(t, "the connection ends", nil, func(w *world, p *peer) {
		p.send(abcd)
		p.hear(ok(1), ok(2))
		p.Close()
		synctest.Wait()
		q := w.dial() // and all is given back
		q.send(abcd)
		q.hear(ok(1), ok(2))
		q.Close()
	})
	serveLate(t, "a panic", func(w *world) {
		w.store.onCreate = func(a wire.Announcement) error {
			if a.Name == "boom" {
				panic("boom")
			}
			return nil
		}
	}, func(w *world, p *peer) {
		p.Write([]byte(str("a|") + str("boom|")))
		<-p.done
		q := w.dial()
		q.send(abcd)
		q.hear(ok(1), ok(2))
		q.Close()
	})
	serveLate(t, "a resumable one", slowCommit(time.Second, nil), func(w *world, p *peer) {
		p.send(str("a|"), str("b|"), str("c|proof=sha256|id=7|size=2|"), str("c|proof=sha256|id=7|size=2|"))
		p.hear(ok(1), ok(2))
		q := w.dial()
		q.send(str("c|proof=sha256|id=7|size=2|"), data(2, "x"))
		q.hear(ok(1))
		q.Close()
		p.send(end(""), end(""))
		time.Sleep(time.Second)
		p.hear(saved(1, "a", ""), saved(2, "b", ""),
			okFrom(3, "x"), "ERROR|code=in-use|upload=4|")
		p.send(data(2, "y"), end("xy"))
		time.Sleep(time.Second)
		p.hear(saved(3, "c", "xy"))
	})
}
