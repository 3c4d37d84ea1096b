package s3_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
)

// A crowd counts the requests that are under way at once. Each takes so long that all
// come together that may.
type crowd struct {
	*s3test.Server
	now, most atomic.Int32
}

func (c *crowd) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodHead {
		n := c.now.Add(1)
		defer c.now.Add(-1)
		for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
		}
		time.Sleep(time.Second)
	}
	return c.Server.RoundTrip(r)
}

// TestFewLookups: names with many folders do not make for many requests at once.
func TestFewLookups(t *testing.T) {
	for clients, most := range map[int]int32{1: 8, 40: 64} {
		synctest.Test(t, func(t *testing.T) {
			server := &crowd{Server: s3test.NewServer()}
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
				t.Errorf("%d requests at once for %d clients, want %d", n, clients, most)
			}
		})
	}
}
