package wire_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/labnet/labnet/wire"
)

// TestHeldInAll: many connections that are owed answers behind a publication that
// takes long are read no further when too much is held back for all.
func TestHeldInAll(t *testing.T) {
	serveGated(t, func(w *world, g *gates) {
		const clients = 400
		long := strings.Repeat(str(strings.Repeat("x", wire.MaxString)), 100)
		var peers []*peer
		var sending sync.WaitGroup
		for range clients {
			p := w.dial()
			peers = append(peers, p)
			sending.Go(func() {
				p.send(str("a|"), whole("a"))
				p.Write([]byte(long))
			})
		}
		synctest.Wait()
		const one = wire.MaxString + 20
		if n := w.server.Held(); n < wire.MaxHeld/2 || n > wire.MaxHeld+clients*one {
			t.Errorf("%d bytes are held back, want about %d", n, wire.MaxHeld)
		}
		for _, p := range peers {
			p.Close()
		}
		sending.Wait()
		close(g.of("a"))
		synctest.Wait()
		if n := w.server.Held(); n != 0 {
			t.Errorf("%d bytes are held back for nobody", n)
		}
	})
}
