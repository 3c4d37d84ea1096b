package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labnet/labnet/wire"
)

type descriptorsTest struct {
	files, clients, ahead int
	time                  time.Duration
	every                 time.Duration
	lax                   bool
}

func descriptorsFlags(flags *flag.FlagSet) func(context.Context, *abuse) error {
	var d descriptorsTest
	flags.IntVar(&d.files, "files", 256, "the server may open `N` files")
	flags.IntVar(&d.clients, "n", 400, "`N` clients want to upload")
	flags.IntVar(&d.ahead, "ahead", 20, "each announces `N` files at once")
	flags.DurationVar(&d.time, "time", 30*time.Second, "measure for `TIME`")
	flags.DurationVar(&d.every, "every", 2*time.Second, "a client sends 8 KiB every `TIME`")
	return func(ctx context.Context, a *abuse) error { return d.run(ctx, a) }
}

// run lets clients upload slowly, and those for which there is no room try again
// as labnet does.
func (d descriptorsTest) run(ctx context.Context, a *abuse) error {
	s, err := a.serve(ctx, launch{store: "descriptors", before: fmt.Sprintf("ulimit -n %d", d.files), args: []string{"--log-level", "warn"}})
	if err != nil {
		return err
	}
	defer s.stop(syscall.SIGKILL)
	var c counts
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var clients sync.WaitGroup
	for i := range d.clients {
		clients.Go(func() {
			for try := 0; ctx.Err() == nil; {
				if d.upload(ctx, s, i, &c) {
					try = 0
					continue
				}
				c.refused.Add(1)
				try++
				select { // as commands/retry.go
				case <-time.After(rand.N(min(10*time.Second, 200*time.Millisecond<<min(try, 10)))):
				case <-ctx.Done():
				}
			}
		})
	}
	time.Sleep(d.time / 3) // until all have come
	cpu, begun, most := s.cpu(), time.Now(), 0
	for time.Since(begun) < d.time {
		time.Sleep(100 * time.Millisecond)
		most = max(most, s.files())
	}
	used := float64(s.cpu()-cpu) / float64(time.Since(begun))
	stop()
	clients.Wait()
	a.say("%d clients at a server that may open %d files: it had %d open at most and used %.1f%% of a processor; %d files kept, %d uploads failed, %d connections refused",
		d.clients, d.files, most, 100*used, c.kept.Load(), c.failed.Load(), c.refused.Load())
	if err := c.err(); err != nil {
		return fmt.Errorf("a running upload failed: %w", err)
	}
	if n := s.lines("cannot accept") + s.lines("too many open files"); n > 0 {
		return fmt.Errorf("the server ran out of descriptors %d times", n)
	}
	kept, err := os.ReadDir(s.store)
	switch n := int64(len(kept) - 1); { // without .labnet
	case err != nil:
		return err
	case n < c.kept.Load():
		return fmt.Errorf("%d of %d files are missing in %s", c.kept.Load()-n, c.kept.Load(), filepath.Base(s.store))
	case c.kept.Load() == 0 || c.refused.Load() == 0:
		return errors.New("nothing was kept, or nobody refused: it was not saturated")
	case used > 0.05 && !d.lax:
		return errors.New("that is more than 5% of a processor")
	}
	return nil
}

// counts are of many clients.
type counts struct {
	kept, failed, refused atomic.Int64
	mu                    sync.Mutex
	first                 error
}

func (c *counts) fail(err error) {
	c.failed.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == nil {
		c.first = err
	}
}

func (c *counts) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.first
}

var number atomic.Int64

// upload sends some files over one connection, all announced before, and reports
// whether there was room for it. A file that was accepted must be kept.
func (d descriptorsTest) upload(ctx context.Context, s *server, i int, c *counts) (room bool) {
	nc, err := s.dialPlain(ctx)
	if err != nil {
		return false
	}
	client := wire.NewClient(nc, 0)
	defer client.Close()
	const size = 24 << 10
	var files []*wire.Transfer
	for range d.ahead {
		name := fmt.Sprintf("%d-%d", i, number.Add(1))
		f, err := client.Announce(context.Background(), wire.Announcement{Name: name, Size: size})
		if err != nil {
			return false
		}
		files = append(files, f)
	}
	if client.Flush(ctx) != nil {
		return false
	}
	sent := 0
	for i, f := range files {
		err := f.Send(context.Background(), &slow{n: size, piece: 8 << 10, every: d.every})
		if i == 0 && err != nil {
			return false // turned away
		}
		sent++
		if ctx.Err() != nil {
			break
		}
	}
	client.Flush(context.Background())
	for _, f := range files[:sent] {
		if _, err := f.Saved(context.Background()); err != nil {
			c.fail(err)
		} else {
			c.kept.Add(1)
		}
	}
	return true
}
