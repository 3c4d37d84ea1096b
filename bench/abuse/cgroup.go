package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/labnet/labnet/wire"
)

type cgroupTest struct {
	clients           int
	size, limit, most int64
	encrypted         bool
}

func cgroupFlags(flags *flag.FlagSet) func(context.Context, *abuse) error {
	var c cgroupTest
	var total string
	flags.IntVar(&c.clients, "n", 50, "`N` clients at once")
	flags.StringVar(&total, "size", "10240", "they upload so many `MiB` in all")
	flags.Int64Var(&c.limit, "limit", 64, "the server may have `MiB` of memory")
	flags.Int64Var(&c.most, "most", 48, "it may have `MiB` resident")
	flags.BoolVar(&c.encrypted, "tls", false, "inside TLS")
	return func(ctx context.Context, a *abuse) error {
		mib, err := strconv.ParseInt(total, 10, 64)
		if err != nil {
			return err
		}
		c.size = mib << 20
		return c.run(ctx, a)
	}
}

// run lets clients upload at once to a server in a group of its own.
func (c cgroupTest) run(ctx context.Context, a *abuse) error {
	g, err := newGroup(c.limit << 20)
	if err != nil {
		return err
	}
	defer g.remove()
	l := launch{store: "cgroup", before: "echo $$ >" + g.file("cgroup.procs"), args: []string{"--log-level", "error"}}
	if c.encrypted {
		l.args = append(l.args, "--tls")
	}
	s, err := a.serve(ctx, l)
	if err != nil {
		return err
	}
	defer s.stop(syscall.SIGKILL)
	begun := time.Now()
	var count counts
	var clients sync.WaitGroup
	each := c.size / int64(c.clients)
	for i := range c.clients {
		clients.Go(func() {
			nc, err := s.dial(ctx)
			if err != nil {
				count.fail(err)
				return
			}
			client := wire.NewClient(nc, 5*time.Minute)
			defer client.Close()
			bytes := newPattern(i, each)
			if _, err := client.Upload(ctx, wire.Announcement{Name: fmt.Sprint(i), Size: each}, bytes); err != nil {
				count.fail(err)
			}
		})
	}
	clients.Wait()
	took := time.Since(begun)
	peak, kills := s.status("VmHWM"), g.kills()
	a.say("%d clients, %.1f GiB in all, in %.0f s, to a server in a group of %d MiB: at most %.1f MiB resident, %d kills",
		c.clients, mib(c.size)/1024, took.Seconds(), c.limit, mib(peak), kills)
	switch {
	case count.err() != nil:
		return count.err()
	case kills > 0 || peak == 0:
		return errors.New("the server was killed")
	case peak > c.most<<20:
		return fmt.Errorf("that is more than %d MiB", c.most)
	}
	return nil
}

// A group is a control group of memory, of either version.
type group struct {
	dir string
	v2  bool
}

func newGroup(limit int64) (g group, err error) {
	name := fmt.Sprintf("labnet-abuse-%d", os.Getpid())
	g = group{filepath.Join("/sys/fs/cgroup/memory", name), false}
	limits := "memory.limit_in_bytes"
	if controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil && strings.Contains(string(controllers), "memory") {
		g, limits = group{filepath.Join("/sys/fs/cgroup", name), true}, "memory.max"
	}
	if err := os.Mkdir(g.dir, 0o777); err != nil {
		return g, fmt.Errorf("this needs root and a control group of memory: %w", err)
	}
	if err := os.WriteFile(g.file(limits), []byte(strconv.FormatInt(limit, 10)), 0o666); err != nil {
		g.remove()
		return g, err
	}
	return g, nil
}

func (g group) file(name string) string { return filepath.Join(g.dir, name) }

// remove removes the group once its processes have gone.
func (g group) remove() {
	for range 100 {
		if os.Remove(g.dir) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// kills is how often the kernel has killed for want of memory.
func (g group) kills() (n int) {
	file := "memory.oom_control"
	if g.v2 {
		file = "memory.events"
	}
	text, _ := os.ReadFile(g.file(file))
	for line := range strings.Lines(string(text)) {
		fmt.Sscanf(line, "oom_kill %d", &n)
	}
	return n
}
