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

	"github.com/labnet/labnet/commands/bandwidth"
	"github.com/labnet/labnet/wire"
)

type dayTest struct {
	time, pause, every, calm time.Duration
	small, big               int
	size                     int64 // of a big file
	rate                     int64 // bytes a second, of all big files
	keep                     int64 // bytes of big files in the store, not counting those under way
	race                     bool
	out                      string
}

func dayFlags(flags *flag.FlagSet) func(context.Context, *abuse) error {
	d := dayTest{every: 5 * time.Second, calm: 5 * time.Minute, size: 200 << 20}
	var rate, keep int64
	flags.DurationVar(&d.time, "time", time.Hour, "go on for `TIME`")
	flags.IntVar(&d.small, "small", 50, "`N` connections send small files, one after the other")
	flags.IntVar(&d.big, "big", 20, "`N` connections send files of 200 MiB")
	flags.DurationVar(&d.pause, "pause", 500*time.Millisecond, "wait about `TIME` between two small files of a connection")
	flags.Int64Var(&rate, "rate", 20, "send at most this many `MiB` of big files a second")
	flags.Int64Var(&keep, "keep", 4096, "compare the oldest big files and remove them beyond this many `MiB`")
	flags.BoolVar(&d.race, "race", false, "to a server that is built with -race")
	flags.StringVar(&d.out, "out", "", "write figures and a plot to `PREFIX`.csv and PREFIX.svg")
	return func(ctx context.Context, a *abuse) error {
		d.rate, d.keep = rate<<20, keep<<20
		return d.run(ctx, a)
	}
}

// A day is a server under a steady load.
type day struct {
	dayTest
	*server
	limit *bandwidth.Limit
	seed  atomic.Uint64
	count counts
	sent  atomic.Int64 // bytes acknowledged

	// What the server has acknowledged, the oldest first. Small files stay: ext4 is slow
	// where many were removed.
	mu                   sync.Mutex
	smallFiles, bigFiles []kept
}

// A kept file is in the store.
type kept struct {
	name string
	seed uint64
	size int64
}

func (t dayTest) run(ctx context.Context, a *abuse) error {
	program, err := a.program(ctx, t.race)
	if err != nil {
		return err
	}
	socket := filepath.Join(a.dir, "inside")
	s, err := a.serve(ctx, launch{program: program, store: "day", env: []string{insideEnv + "=" + socket}, args: []string{"--log-level", "error"}})
	if err != nil {
		return err
	}
	defer s.stop(syscall.SIGKILL)
	d := &day{dayTest: t, server: s, limit: &bandwidth.Limit{Rate: t.rate}}
	if err := d.send(ctx, 1, d.smallFile, nil, 0); err != nil { // so that all is there that stays
		return err
	}
	before, err := s.state(socket, collected)
	if err != nil {
		return err
	}
	w := &watch{begun: time.Now(), every: t.every, of: func() (state, error) { return s.state(socket, asItIs) }, day: d}
	busy, stop := context.WithTimeout(ctx, t.time)
	defer stop()
	var clients sync.WaitGroup
	for i := range t.small + t.big {
		clients.Go(func() { d.client(busy, i) })
	}
	clients.Go(func() { d.clear(busy) })
	err = w.until(busy, func(state) bool { return false })
	stop()
	clients.Wait()
	if err == nil {
		ctx, stop := context.WithTimeout(ctx, t.calm)
		defer stop()
		err = w.until(ctx, func(st state) bool { return d.isCalm(st, before) })
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err = errors.Join(err, d.count.err(), d.compareAll(), s.failures(), w.write(t.out, a, before))
	if after := w.last(); err == nil && !d.isCalm(after, before) {
		err = errors.New("the server is not as it was")
	}
	return err
}

// isCalm reports whether the server is as it was before the load. The race detector
// never gives memory back.
func (d *day) isCalm(st, before state) bool {
	return st.isBack(before) && (d.race || st.resident <= before.resident+(32<<20))
}

func (d *day) smallFile() *contents {
	return newContents(d.seed.Add(1), rand.Int64N(16<<10))
}

func (d *day) bigFile() *contents { return newContents(d.seed.Add(1), d.dayTest.size) }

// client sends one file after the other, over a connection for some of them.
func (d *day) client(ctx context.Context, i int) {
	sleep(ctx, rand.N(d.pause+time.Millisecond)) // as people come
	for ctx.Err() == nil {
		var err error
		if i < d.small {
			err = d.send(ctx, 1+rand.N(200), d.smallFile, nil, i)
		} else {
			err = d.send(ctx, 1+rand.N(3), d.bigFile, d.limit, i)
		}
		if err != nil && ctx.Err() == nil {
			d.count.fail(err)
			sleep(ctx, time.Second)
		}
	}
}

// send sends n files over one connection.
func (d *day) send(ctx context.Context, n int, next func() *contents, limit *bandwidth.Limit, folder int) error {
	nc, err := d.dial(ctx)
	if err != nil {
		return err
	}
	client := wire.NewClient(nc, 5*time.Minute)
	defer client.Close()
	for range n {
		c := next()
		name := fmt.Sprintf("%d/%s", folder, c.name())
		saved, err := client.Upload(ctx, wire.Announcement{Name: name, Size: c.size}, limit.Reader(c))
		if err != nil {
			return err
		}
		d.keepIn(kept{saved.Name, c.seed, c.size})
		if limit == nil {
			sleep(ctx, d.pause/2+rand.N(d.pause+1))
		}
	}
	return nil
}

func (d *day) keepIn(k kept) {
	d.count.kept.Add(1)
	d.sent.Add(k.size)
	d.mu.Lock()
	defer d.mu.Unlock()
	if k.size == d.dayTest.size {
		d.bigFiles = append(d.bigFiles, k)
	} else {
		d.smallFiles = append(d.smallFiles, k)
	}
}

// oldest takes the oldest big file, if there are too many.
func (d *day) oldest() (k kept, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if int64(len(d.bigFiles))*d.dayTest.size <= d.keep {
		return k, false
	}
	k, d.bigFiles = d.bigFiles[0], d.bigFiles[1:]
	return k, true
}

// clear compares the oldest files and removes them, as long as there are too many.
func (d *day) clear(ctx context.Context) {
	for ctx.Err() == nil {
		k, ok := d.oldest()
		if !ok {
			sleep(ctx, time.Second)
			continue
		}
		err := d.compare(k)
		if err = errors.Join(err, os.Remove(filepath.Join(d.store, k.name))); err != nil {
			d.count.fail(err)
		}
	}
}

func (d *day) compare(k kept) error {
	return newContents(k.seed, k.size).compare(filepath.Join(d.store, k.name))
}

func (d *day) compareAll() error {
	for _, k := range append(d.smallFiles, d.bigFiles...) {
		if err := d.compare(k); err != nil {
			return fmt.Errorf("acknowledged: %w", err)
		}
	}
	return nil
}
