package commands

import (
	"context"
	"io/fs"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// A watched value is read from files that somebody renews while the server runs.
type watched[T any] struct {
	files  []string
	read   func() (T, error)
	failed func(error) // told of a new version that is not in order

	mu      sync.Mutex
	current T
	tried   []fs.FileInfo // what the files were when they were last read
	looked  time.Time     // when they were last looked at
}

// watch reads a value from files, again on SIGHUP and when they change, until ctx
// ends.
func watch[T any](ctx context.Context, files []string, read func() (T, error), failed func(error)) (*watched[T], error) {
	w := &watched[T]{files: files, read: read, failed: failed}
	if err := w.renew(); err != nil {
		return nil, err
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangups)
		for {
			select {
			case <-hangups:
				w.hangup()
			case <-ctx.Done():
				return
			}
		}
	}()
	return w, nil
}

// get returns the value for a new connection: the old one if the new one is not in
// order. To look at the files each time needs no watcher, and is cheap beside a
// handshake.
func (w *watched[T]) get() T { return w.recent(0) }

// recent is get that does not look at the files if that was done so short a time
// ago.
func (w *watched[T]) recent(age time.Duration) T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.looked) >= age && w.changed() {
		w.tryRenew()
	}
	return w.current
}

// hangup reads the files even if they seem to be the same.
func (w *watched[T]) hangup() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tryRenew()
}

func (w *watched[T]) tryRenew() {
	if err := w.renew(); err != nil {
		w.failed(err)
	}
}

// renew puts to use what is in the files now.
func (w *watched[T]) renew() error {
	w.tried = w.stat() // before it reads: a change meanwhile is seen the next time
	next, err := w.read()
	if err == nil {
		w.current = next
	}
	return err
}

// changed reports whether the files are others than those that were read. Several
// cannot change at the same instant.
func (w *watched[T]) changed() bool {
	for i, now := range w.stat() {
		was := w.tried[i]
		if (was == nil) != (now == nil) {
			return true
		}
		if now != nil && (!os.SameFile(was, now) || !was.ModTime().Equal(now.ModTime()) || was.Size() != now.Size()) {
			return true
		}
	}
	return false
}

// stat looks at the files; one that cannot be looked at is nil.
func (w *watched[T]) stat() []fs.FileInfo {
	w.looked = time.Now()
	found := make([]fs.FileInfo, len(w.files))
	for i, name := range w.files {
		if fi, err := os.Stat(name); err == nil {
			found[i] = fi
		}
	}
	return found
}
