package commands

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/commands/bandwidth"
	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/uploader"
	"github.com/labnet/labnet/storage/storagetest"
)

// A countedConn counts what is written to it.
type countedConn struct {
	net.Conn
	n *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// TestLimitRate: what is sent takes as long as the limit says, over all files and
// blobs of a run, and is not taken for a connection that stands still.
func TestLimitRate(t *testing.T) {
	const rate = 2000
	large := filepath.Join(t.TempDir(), "large")
	must(t, os.WriteFile(large, make([]byte, 3<<20), 0o666))
	small := smallFiles(t, 500)
	for name, send := range map[string]func(ctx context.Context, u *uploader.Uploader) error{
		"a large file": func(ctx context.Context, u *uploader.Uploader) error { return u.Upload(ctx, []string{large}) },
		"small files":  func(ctx context.Context, u *uploader.Uploader) error { return u.Upload(ctx, []string{small}) },
		"blobs": func(ctx context.Context, u *uploader.Uploader) error {
			return (&blobber{u.Con, u.Session, u.Retrier, 10000}).sendAll(ctx, 10)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &machine{store: keeper{storagetest.NewMemory()}}
				m.up()
				u, _, told := retrying(m, client.Retrier{})
				var written atomic.Int64
				u.Transport = func(ctx context.Context) (net.Conn, error) {
					c, err := m.dial(ctx)
					return countedConn{c, &written}, err
				}
				u.Bandwidth, u.Timeout = &bandwidth.Limit{Rate: rate}, 5*time.Second
				begun := time.Now()
				err := send(t.Context(), u)
				took := time.Since(begun).Seconds()
				if least := float64(written.Load()) / rate; err != nil || took < least-0.2 || took > least+0.2 {
					t.Errorf("%v: %d bytes took %.1f s\n%s", err, written.Load(), took, told)
				}
				u.Close()
				m.crash()
				m.serving.Wait()
			})
		})
	}
}
