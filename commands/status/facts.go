package status

import (
	"context"
	"sync"
	"time"

	"github.com/labnet/labnet/storage"
)

const (
	// factsAge is how old facts may be, and factsWait how long newer ones are waited for.
	factsAge  = 2 * time.Second
	factsWait = 500 * time.Millisecond
)

// facts are what the store must be asked for. If its filesystem stands still, it does not
// answer.
type facts struct {
	at       time.Time // zero if nothing is known yet
	room     *storage.Room
	partials storage.Usage
	users    []User
}

func (b *Board) collect(ctx context.Context) facts {
	f := facts{at: time.Now()}
	for _, left := range b.Store.Leftovers() {
		f.partials = f.partials.Add(storage.Usage{Bytes: left.Size, Files: 1})
	}
	if b.Room != nil {
		if room, err := b.Room(); err == nil {
			f.room = &room
		}
	}
	if b.Users != nil {
		f.users = b.Users(ctx)
	}
	return f
}

// A collector has the facts collected by one goroutine at a time, so that nobody waits for
// long, and what does not return costs one thread.
type collector struct {
	collect func(context.Context) facts

	mu      sync.Mutex
	last    facts
	done    chan struct{} // closed when the one that runs ends; nil if none does
	cancel  context.CancelFunc
	closed  bool
	running sync.WaitGroup
}

// get returns the last facts.
func (c *collector) get() facts {
	c.mu.Lock()
	if c.done == nil && !c.closed && time.Since(c.last.at) >= factsAge {
		c.start()
	}
	done := c.done
	c.mu.Unlock()
	if done != nil {
		timer := time.NewTimer(factsWait)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// start needs mu.
func (c *collector) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c.done, c.cancel = done, cancel
	c.running.Go(func() {
		defer cancel()
		f := c.collect(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.last, c.done = f, nil
		close(done)
	})
}

func (c *collector) close() {
	c.mu.Lock()
	c.closed = true
	if c.done != nil {
		c.cancel()
	}
	c.mu.Unlock()
	c.running.Wait()
}
