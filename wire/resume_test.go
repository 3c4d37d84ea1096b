package wire_test

import (
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/labnet/labnet/wire"
)

// A cutting connection breaks when so many bytes have left.
type cutting struct {
	net.Conn
	left int
	sent *int
}

func (c *cutting) Write(p []byte) (int, error) {
	if len(p) > c.left {
		n, _ := c.Conn.Write(p[:c.left])
		*c.sent += n
		c.left = 0
		c.Close()
		return n, net.ErrClosed
	}
	c.left -= len(p)
	n, err := c.Conn.Write(p)
	*c.sent += n
	return n, err
}

// TestResumedUntilDone uploads a file over connections that break at random
// points, until it is there.
func TestResumedUntilDone(t *testing.T) {
	for seed := range uint64(15) {
		serve(t, nil, func(w *world) {
			r := rand.New(rand.NewPCG(seed, 1))
			body := abc(1 + r.IntN(1<<20))
			sent, cuts, before := 0, 0, 0
			for ; ; cuts++ {
				near, far := newDuplex()
				w.l.accept <- far
				c := wire.NewClient(&cutting{near, 1 + r.IntN(500_000), &sent}, 0)
				got, err := c.Upload(bg, withID(len(body)), strings.NewReader(body))
				must(t, c.Close())
				if err == nil {
					if got.Hex() != crc(body) || before >= 0 && got.Resumed != int64(before) {
						t.Errorf("seed %d: %+v of %d bytes, and %d were there", seed, got, len(body), before)
					}
					break
				}
				if got.Name != "" || got.Size != 0 || cuts == 1000 {
					t.Fatalf("seed %d: after %d cuts %+v, %v", seed, cuts, got, err)
				}
				before = -1 // the next may take over
				if r.IntN(2) == 0 {
					synctest.Wait()
					before = len(w.store.leftOf("i"))
				}
			}
			w.store.wantFiles(t, map[string]string{"f": body})
			if most := len(body) + (cuts+1)*200; sent > most { // words and headers
				t.Errorf("seed %d: %d bytes were sent of a file of %d, in %d pieces", seed, sent, len(body), cuts+1)
			}
		})
	}
}

func (s *store) leftOf(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left[id]
}
