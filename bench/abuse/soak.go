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
)

type soakTest struct {
	time   time.Duration
	kills  time.Duration
	faults time.Duration // of the disk
	calm   time.Duration // at the end, without kills of the server
	race   bool
}

func soakFlags(flags *flag.FlagSet) func(context.Context, *abuse) error {
	var s soakTest
	flags.DurationVar(&s.time, "time", 10*time.Minute, "go on for `TIME`")
	flags.DurationVar(&s.kills, "kills", 40*time.Second, "end the server about every `TIME`")
	flags.DurationVar(&s.faults, "faults", 30*time.Second, "have the disk stand still, or fill it, about every `TIME` (as root)")
	flags.BoolVar(&s.race, "race", false, "to a server that is built with -race")
	return func(ctx context.Context, a *abuse) error {
		s.calm = min(s.time/4, 5*time.Minute)
		return s.run(ctx, a)
	}
}

// A soak is a server that is abused in many ways at once.
type soak struct {
	*abuse
	test   soakTest
	inside string // socket
	pin    string // the server's key
	disk   *disk  // nil if none can be mounted

	mu      sync.Mutex
	server  *server         // the one that runs
	acked   map[uint64]bool // by seed
	removed map[uint64]bool // what was there and as it should be
	kept    int             // acknowledged in all
	counts  map[string]int
	first   error // that must not be

	files atomic.Uint64
}

func (t soakTest) run(ctx context.Context, a *abuse) error {
	program, err := a.program(ctx, t.race)
	if err != nil {
		return err
	}
	s := &soak{abuse: a, test: t, inside: filepath.Join(a.dir, "inside"), acked: map[uint64]bool{}, removed: map[uint64]bool{}, counts: map[string]int{}}
	tokens, err := s.writeTokens()
	if err != nil {
		return err
	}
	s.disk, err = mountDisk(filepath.Join(a.dir, "disk"), "4G", "-N", "30000")
	if errors.Is(err, errNoLoop) {
		a.say("without a disk that stands still or is full: %v", err)
	} else if err != nil {
		return err
	}
	defer s.disk.unmount()
	l := launch{program: program, store: "disk/soak", env: []string{insideEnv + "=" + s.inside},
		args: []string{"--tls", "--tokens", tokens, "--proxy-from", balancer, "--log-level", "error",
			"--auth-timeout", "5s", "--idle-timeout", "3s", "--header-timeout", "2s", "--progress-timeout", "3s",
			"--max-size", "16MiB"}} // or what garbage announces would take all the room
	if s.server, err = a.serve(ctx, l); err != nil {
		return err
	}
	l.addr = s.server.addr
	defer func() { s.server.stop(syscall.SIGKILL) }()
	if s.pin, err = s.server.fingerprint(ctx); err != nil {
		return err
	}

	s.upload(ctx) // so that all is there that stays
	before, err := s.server.state(s.inside, collected)
	if err != nil {
		return err
	}
	busy, stop := context.WithTimeout(ctx, t.time)
	defer stop()
	var all sync.WaitGroup
	for _, role := range roles {
		for range role.many {
			all.Go(func() {
				for busy.Err() == nil {
					role.do(s, busy)
				}
			})
		}
	}
	err = s.kill(ctx, busy, l)
	if err != nil {
		stop()
	}
	all.Wait()
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	after, err := s.settle(before)
	s.report(before, after)
	if err := errors.Join(err, s.first, s.verify()); err != nil {
		return err
	}
	return s.server.failures()
}

// kill ends the server again and again, by turns at once and by a signal that lets
// it finish, and starts it again at the same address, also while the disk stands still.
// The last one stays.
func (s *soak) kill(ctx, busy context.Context, l launch) error {
	until := time.Now().Add(s.test.time - s.test.calm)
	for last := false; !last; {
		if wait := time.Until(until); wait <= s.test.kills {
			last = true
			sleep(busy, wait)
		} else {
			sleep(busy, s.test.kills/2+rand.N(s.test.kills))
		}
		if busy.Err() != nil {
			return ctx.Err()
		}
		how := syscall.SIGKILL
		if rand.N(2) == 0 {
			how = syscall.SIGTERM
		}
		begun := time.Now()
		s.server.stop(how)
		if took := time.Since(begun); took > 45*time.Second {
			s.fail(fmt.Errorf("the server took %v to end", took))
		}
		s.note("the server ended: " + how.String())
		next, err := s.serve(ctx, l)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.server = next
		s.mu.Unlock()
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (s *soak) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// fail notes what must not be.
func (s *soak) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = err
	}
}

func (s *soak) current() *server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

// settle waits until the server is as one was to which nobody was connected.
func (s *soak) settle(before state) (after state, err error) {
	for range 30 {
		if after, err = s.server.state(s.inside, collected); err != nil {
			return after, err
		}
		if after.isBack(before) {
			return after, nil
		}
		time.Sleep(time.Second)
	}
	return after, errors.New("the server is not as it was")
}

func (s *soak) report(before, after state) {
	s.say("soak of %v: %d files acknowledged", s.test.time, s.kept)
	for what, n := range s.counts {
		s.say("  %6d × %s", n, what)
	}
	s.say("  goroutines %d, at first %d; threads %d, at first %d; descriptors %d, at first %d; heap %.1f MiB, at first %.1f; resident %.1f MiB, at first %.1f",
		after.Goroutines, before.Goroutines, after.threads, before.threads, after.files, before.files, mib(after.Heap), mib(before.Heap), mib(after.resident), mib(before.resident))
}

// verify holds the store against what was acknowledged, and against what was sent
// at all.
func (s *soak) verify() error {
	if err := s.server.stop(syscall.SIGTERM); err != nil && s.server.cmd.ProcessState.ExitCode() != 128+int(syscall.SIGTERM) && s.server.cmd.ProcessState.ExitCode() != -1 {
		return fmt.Errorf("the server ended badly: %w", err)
	}
	if err := s.compareOlder(0); err != nil {
		return err
	}
	s.say("  %d files in the store, all as they were sent; %d acknowledged ones lost", len(s.removed), len(s.acked))
	for seed := range s.acked {
		return fmt.Errorf("acknowledged, and lost: number %d, and %d more", seed, len(s.acked)-1)
	}
	return nil
}

// compareOlder compares the files that have been in the store for a while with what
// was sent, and removes them, so that they do not fill the disk.
func (s *soak) compareOlder(age time.Duration) error {
	visible, err := os.ReadDir(s.server.store)
	if err != nil {
		return err
	}
	for _, entry := range visible {
		info, err := entry.Info()
		if err != nil || entry.IsDir() || time.Since(info.ModTime()) < age {
			continue
		}
		file := filepath.Join(s.server.store, entry.Name())
		want, err := named(entry.Name())
		if err == nil {
			err = want.compare(file)
		} else if info.Size() < maxGarbage {
			err = nil // what a flood sent may look like a blob
		}
		if err = errors.Join(err, os.Remove(file)); err != nil {
			return err
		}
		if want != nil {
			s.mu.Lock()
			delete(s.acked, want.seed)
			s.removed[want.seed] = true
			s.mu.Unlock()
		}
	}
	return nil
}
