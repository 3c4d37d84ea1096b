package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labnet/labnet/wire"
)

type freezeTest struct {
	clients      int
	time         time.Duration
	size         int64
	threads, rss int64 // at most
	fuse         bool
}

func freezeFlags(flags *flag.FlagSet) func(context.Context, *abuse) error {
	f := freezeTest{size: 256 << 10}
	flags.IntVar(&f.clients, "n", 4000, "`N` clients write")
	flags.DurationVar(&f.time, "time", 10*time.Second, "let the file system stand still for `TIME`")
	flags.Int64Var(&f.threads, "threads", 200, "the server may have `N` threads")
	flags.Int64Var(&f.rss, "most", 150, "it may have `MiB` resident")
	flags.BoolVar(&f.fuse, "fuse", false, "it is a program that does not answer, in place of a disk")
	return func(ctx context.Context, a *abuse) error { return f.run(ctx, a) }
}

func (f freezeTest) mount(dir string) (*disk, error) {
	if f.fuse {
		return mountFUSE(dir)
	}
	return mountDisk(dir, "8G")
}

// run lets clients write to a file system that stands still for a while.
func (f freezeTest) run(ctx context.Context, a *abuse) error {
	store := "freeze"
	if f.fuse {
		store = "freeze-fuse"
	}
	d, err := f.mount(filepath.Join(a.dir, store))
	if err != nil {
		return err
	}
	defer d.unmount()
	s, err := a.serve(ctx, launch{
		store:  store,
		before: fmt.Sprintf("ulimit -n %d", 4*f.clients+1000),
		args:   []string{"--max-conns", fmt.Sprint(f.clients + 100), "--log-level", "error"},
	})
	if err != nil {
		return err
	}
	defer s.stop(syscall.SIGKILL)
	idle := s.threads()

	var count counts
	var thawed atomic.Bool
	var ready, done sync.WaitGroup
	saved := make([][]string, f.clients)
	for i := range f.clients {
		ready.Add(1)
		done.Go(func() {
			var once sync.Once
			defer once.Do(ready.Done)
			nc, err := s.dial(ctx)
			if err != nil {
				count.fail(err)
				return
			}
			client := wire.NewClient(nc, 5*time.Minute)
			defer client.Close()
			for n := 0; ; n++ {
				last := thawed.Load()
				name := fmt.Sprintf("%d/%d", i%100, i+n*f.clients)
				got, err := client.Upload(ctx, wire.Announcement{Name: name, Size: f.size}, newPattern(i, f.size))
				if err != nil {
					count.fail(err)
					return
				}
				once.Do(ready.Done)
				saved[i] = append(saved[i], got.Name)
				if last {
					return
				}
			}
		})
	}
	ready.Wait()
	busy := s.threads()
	if err := d.freeze(); err != nil {
		return err
	}
	time.Sleep(f.time)
	threads, rss := s.threads(), s.status("VmRSS")
	asked := time.Now()
	answer, perr := exec.CommandContext(ctx, a.labnet, "ping", "-c", "1", "-a", s.addr).CombinedOutput()
	took := time.Since(asked)
	thawed.Store(true)
	if err := d.thaw(); err != nil {
		return err
	}
	done.Wait()
	kept := 0
	for _, names := range saved {
		for _, name := range names {
			kept++
			if fi, err := os.Stat(filepath.Join(s.store, name)); err != nil || fi.Size() != f.size {
				return fmt.Errorf("what was acknowledged is not there: %s: %v", name, err)
			}
		}
	}
	a.say("%d clients wrote while the file system stood still: %d threads (busy %d, idle %d), %.0f MiB resident", f.clients, threads, busy, idle, mib(rss))
	a.say("ping: %q after %v; %d files acknowledged, all there", strings.TrimSpace(string(answer)), took.Round(time.Millisecond), kept)
	settled, begun := s.threads(), time.Now()
	for settled > idle+20 && time.Since(begun) < 2*time.Minute {
		time.Sleep(time.Second)
		settled = s.threads()
	}
	a.say("%d threads %v later", settled, time.Since(begun).Round(time.Second))
	switch {
	case count.err() != nil:
		return count.err()
	case perr == nil || !strings.Contains(string(answer), "degraded"):
		return fmt.Errorf("ping did not say that the store is degraded: %s", answer)
	case took > time.Second:
		return errors.New("ping took more than a second")
	case threads > f.threads:
		return fmt.Errorf("that is more than %d threads", f.threads)
	case rss > f.rss<<20:
		return fmt.Errorf("that is more than %d MiB", f.rss)
	case settled > idle+20:
		return errors.New("the threads stay")
	}
	return nil
}
