package wire_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestHandoverSilent: while a file takes long to become safe, nothing of this protocol is
// sent on a connection that speaks another one.
func TestHandoverSilent(t *testing.T) {
	serve(t, func(w *world) {
		w.store.onCommit = func(*file) error { time.Sleep(time.Minute); return nil }
		w.server.HTTP = func(h *wire.Handover) {
			c := h.Conn()
			defer c.Close()
			r, err := h.Create(wire.Announcement{Name: "a", Size: 5, Digest: wire.Digests()[0]})
			must(t, err)
			_, err = r.ReadFrom(strings.NewReader("hello"))
			must(t, err)
			_, err = r.Commit(wire.Sum{Size: 5})
			must(t, err)
			io.WriteString(c, "the answer")
		}
	}, func(w *world) {
		p := w.dial()
		p.send("PUT /a HTTP/1.1\r\n")
		time.Sleep(2 * time.Minute)
		p.hearBare("the answer")
		p.wantClosed()
		w.store.wantFiles(t, map[string]string{"a": "hello"})
	})
}
