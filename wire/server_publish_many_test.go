package wire_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestNoMoreThanOwed ends more files than may be published at once: the server
// reads on when one of the answers has left.
func TestNoMoreThanOwed(t *testing.T) {
	const many, most = 600, 256
	serveGated(t, func(w *world, g *gates) {
		p := w.dial()
		var sent strings.Builder
		for i := range many {
			name := fmt.Sprint("f", i)
			sent.WriteString(str(name+"|") + whole(name))
		}
		var sending sync.WaitGroup
		sending.Go(func() { p.send(sent.String(), str("done")) })
		synctest.Wait()
		p.heard()
		for i := range many {
			if n := len(g.waiting); n != min(most, many-i) {
				t.Fatalf("after %d answers %d files are being published", i, n)
			}
			name := fmt.Sprint("f", i)
			g.of(name) <- nil
			said := decode(p.heard())
			if !slices.Contains(said, saved(i+1, name, name)) {
				t.Fatalf("file %d: the server said %q", i, said)
			}
		}
		sending.Wait()
		if g.most != most {
			t.Errorf("%d files were published at once", g.most)
		}
		w.wantOpenEnd(p)
	})
}

// wantOpenEnd checks that a conversation still goes on, and ends it.
func (w *world) wantOpenEnd(p *peer) {
	w.t.Helper()
	p.send(str("still there"))
	p.hear("Message: still there")
	p.Close()
}

// A counting connection counts the writes of the server.
type counting struct {
	*duplex
	writes int
}

func (c *counting) Write(p []byte) (int, error) {
	c.writes++
	return c.duplex.Write(p)
}

// TestAnswersTogether publishes many files at the same moment. While the first
// answers are on their way, the others gather and then leave in one write.
func TestAnswersTogether(t *testing.T) {
	const many = 100
	serveGated(t, func(w *world, g *gates) {
		near, far := newDuplex()
		p := newPeer(t, near)
		server := &counting{duplex: far}
		w.l.accept <- server
		var names, want []string
		for i := range many {
			names = append(names, fmt.Sprintf("f%03d", i))
			want = append(want, saved(i+1, names[i], names[i]))
		}
		send, hear := announced(names...)
		go p.send(send)
		for _, s := range hear {
			_, err := io.ReadFull(p, make([]byte, len(str(s))))
			must(t, err)
		}
		for _, name := range names {
			p.send(whole(name))
		}
		g.wantCommitting(t, names...)
		server.writes = 0
		for _, name := range names {
			close(g.of(name))
		}
		synctest.Wait()
		go p.listen()
		p.hear(want...)
		if server.writes > 2 {
			t.Errorf("%d answers took %d writes", many, server.writes)
		}
		p.Close()
	})
}

// TestOneHeartbeat has several requests that take long, begun at different
// times: the client hears one WAIT in five seconds.
func TestOneHeartbeat(t *testing.T) {
	serveGated(t, func(w *world, g *gates) {
		p := w.dial()
		send, hear := announced("a", "b", "c")
		p.send(send)
		p.hear(hear...)
		p.send(whole("a"))
		time.Sleep(2 * time.Second)
		p.send(whole("b"), whole("c"))
		time.Sleep(3*time.Second - 1)
		p.hear()
		time.Sleep(time.Nanosecond)
		p.hear("WAIT|")
		g.of("a") <- nil
		p.hear(saved(1, "a", "a"))
		time.Sleep(5*time.Second - 1)
		p.hear()
		time.Sleep(time.Nanosecond)
		p.hear("WAIT|")
		g.of("c") <- nil
		g.of("b") <- nil
		p.hear(saved(2, "b", "b"), saved(3, "c", "c"))
		time.Sleep(time.Minute)
		p.hear()
		p.Close()
	})
}
