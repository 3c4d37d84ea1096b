package s3_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
)

// A crowd counts the requests that are under way at once.
type crowd struct {
	*s3test.Server
	now, most atomic.Int32
	full      chan struct{} // closed when as many wait as may
	wait      int32
	once      sync.Once
}

func (c *crowd) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodHead {
		n := c.now.Add(1)
		defer c.now.Add(-1)
		for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
		}
		if n >= c.wait {
			c.once.Do(func() { close(c.full) })
		}
		<-c.full
	}
	return c.Server.RoundTrip(r)
}

// TestFewLookups: names with many folders do not make for many requests at once.
func TestFewLookups(t *testing.T) {
	const clients, most = 40, 64
	server := &crowd{Server: s3test.NewServer(), full: make(chan struct{}), wait: most}
	store := open(t, server.Server, s3.Options{Transport: server})
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			name := fmt.Sprint("a", i) + strings.Repeat("/b", 50) + "/f"
			p, err := store.Create(t.Context(), storage.File{Name: name, Size: -1})
			if err != nil {
				t.Error(err)
				return
			}
			p.Abort()
		})
	}
	all.Wait()
	if n := server.most.Load(); n != most {
		t.Errorf("%d requests at once, want %d", n, most)
	}
}
