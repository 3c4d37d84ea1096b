package wire_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

const tooSlowReply = "ERROR|code=too-slow|"

// A flow is a piece of so many bytes every so often.
type flow struct {
	bytes int
	every time.Duration
}

// pour sends so many bytes, a piece at a time, and returns how long the server
// took them.
func (p *peer) pour(total int, f flow) time.Duration {
	begin := time.Now()
	for sent := 0; sent < total; sent += f.bytes {
		if _, err := io.WriteString(p, strings.Repeat("x", min(f.bytes, total-sent))); err != nil {
			break
		}
		select {
		case <-p.done:
			return time.Since(begin)
		case <-time.After(f.every):
		}
	}
	return time.Since(begin)
}

// TestMinRate has bodies that move, but too slowly, and others that are just
// quick enough.
func TestMinRate(t *testing.T) {
	const size = 1 << 20
	atOnce := flow{size, 0}
	tests := []struct {
		name   string
		first  int // bytes that come at once
		then   flow
		within time.Duration // the server has had enough; 0 for never
	}{
		{"a byte every 29 s", 0, flow{1, 29 * time.Second}, 90 * time.Second},
		{"a byte a second", 0, flow{1, time.Second}, 61 * time.Second},
		{"1000 bytes a second", 0, flow{1000, time.Second}, 61 * time.Second},
		{"much, and then a byte a second", size / 2, flow{1, time.Second}, 121 * time.Second},
		{"1024 bytes a second", 0, flow{1024, time.Second}, 0},
		{"30 KiB every 29 s", 0, flow{30 << 10, 29 * time.Second}, 0},
		{"all at once", size, atOnce, 0},
	}
	body := strings.Repeat("x", size)
	for _, tt := range tests {
		for what, before := range map[string]string{
			"upload":  str("f|proof=sha256|id=7|size=1048576|"),
			"blob":    "",
			"refused": str("../f|size=1048576|"),
		} {
			t.Run(tt.name+", "+what, func(t *testing.T) {
				serve(t, refuses(func(a wire.Announcement) error {
					if a.Name == "../f" {
						return &wire.Error{Code: wire.CodeName, Text: "no"}
					}
					return nil
				}), func(w *world) {
					p := w.dial()
					p.send(before)
					p.heard()
					p.send(header(4, size))
					p.send(body[:tt.first])
					took := p.pour(size-tt.first, tt.then)
					if tt.within == 0 {
						p.wantOpen()
						p.Close()
						return
					}
					if took > tt.within {
						t.Errorf("it lasted %v", took)
					}
					replies := decode(p.heard())
					if last := replies[len(replies)-1]; last != tooSlowReply {
						t.Errorf("the server said %q", last)
					}
					p.wantClosed()
					w.store.wantFiles(t, nil)
				})
			})
		}
	}
}

// TestMinRateOfTheClientOnly has a store that takes its time: that is no fault of
// the client.
func TestMinRateOfTheClientOnly(t *testing.T) {
	body := strings.Repeat("x", 100)
	serve(t, func(w *world) {
		w.store.onBytes = func(*file) error { time.Sleep(20 * time.Second); return nil }
	}, func(w *world) {
		p := w.dial()
		p.send(str("f|size=100|"))
		p.hear(ok(1))
		p.send(header(2, 100))
		for i := range body {
			p.send(body[i : i+1])
		}
		p.send(end(body))
		p.hearLast(saved(1, "f", body))
		p.Close()
	})
}

// TestMinRateAsTheServerSays lowers it, for a link that is slower.
func TestMinRateAsTheServerSays(t *testing.T) {
	serve(t, func(w *world) { w.server.MinRate = 1 }, func(w *world) {
		body := strings.Repeat("x", 200)
		p := w.dial()
		p.send(str("f|size=200|"), header(2, 200))
		p.hear(ok(1))
		p.pour(len(body), flow{1, time.Second})
		p.send(end(body))
		p.hearLast(saved(1, "f", body))
		p.Close()
	})
}

// TestSlowReader has a client that takes its reply a byte at a time: each in
// time, and all too slowly.
func TestSlowReader(t *testing.T) {
	tests := []struct {
		flow
		taken int // bytes, before the server ends it; 0 for all
	}{
		{flow{1, 29 * time.Second}, 2},
		{flow{1, 1}, 0},
	}
	for _, tt := range tests {
		serve(t, nil, func(w *world) {
			p := w.dialDeaf()
			p.send(str("a slow reader"))
			want, got := str("Message: a slow reader"), make([]byte, 1)
			taken := 0
			for range want {
				time.Sleep(tt.every)
				synctest.Wait()
				if _, err := p.Read(got); err != nil {
					break
				}
				taken++
			}
			if tt.taken == 0 {
				tt.taken = len(want)
			}
			if taken != tt.taken {
				t.Errorf("a byte every %v: %d of %d bytes were sent", tt.every, taken, len(want))
			}
			p.Close()
		})
	}
}

// hearLast is hear for the last reply, behind what tells that the server works.
func (p *peer) hearLast(want string) {
	p.t.Helper()
	if replies := decode(p.heard()); len(replies) == 0 || replies[len(replies)-1] != want {
		p.t.Errorf("the server said %q, want %q last", replies, want)
	}
}
