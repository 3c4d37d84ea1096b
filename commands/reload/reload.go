// Package reload reads files again when they change, while a server runs.
package reload

import (
	"context"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Interval is how long a change of a watched file may take to be noticed.
// Looking costs a system call per file, and works where notifications do not: on
// network filesystems, through the symlinks that Kubernetes swaps, and confined.
const Interval = time.Second

// A Watcher follows the files that serve reads again while it runs.
type Watcher struct {
	files []interface {
		look()   // reads the files again if they are others
		reload() // reads them again in any case
	}
}

// Run looks at the files until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	if len(w.files) == 0 {
		return
	}
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, f := range w.files {
				f.look()
			}
		case <-ctx.Done():
			return
		}
	}
}

// Reload reads all files again, and reports whether there are any.
func (w *Watcher) Reload() bool {
	for _, f := range w.files {
		f.reload()
	}
	return len(w.files) > 0
}

// A Watched value is read from files that somebody renews while the server runs.
type Watched[T any] struct {
	names  []string
	read   func() (T, error)
	failed func(error) // told once of a new version that is invalid
	now    atomic.Pointer[T]

	mu    sync.Mutex
	tried []fs.FileInfo // what the files were when they were last read
}

// Watch reads a value from files, and has w read it again when they change. It
// must not be called once w runs.
func Watch[T any](w *Watcher, names []string, read func() (T, error), failed func(error)) (*Watched[T], error) {
	v := &Watched[T]{names: names, read: read, failed: failed}
	if err := v.renew(); err != nil {
		return nil, err
	}
	w.files = append(w.files, v)
	return v, nil
}

// Current returns the value as it was when the watcher last looked: the old one if
// the new one is invalid.
func (v *Watched[T]) Current() T { return *v.now.Load() }

// Latest is current that looks at the files first, so that what changed before it
// was called counts.
func (v *Watched[T]) Latest() T {
	v.look()
	return v.Current()
}

func (v *Watched[T]) look() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.changed() {
		v.tryRenew()
	}
}

func (v *Watched[T]) reload() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tryRenew()
}

func (v *Watched[T]) tryRenew() {
	if err := v.renew(); err != nil {
		v.failed(err)
	}
}

// renew puts to use what is in the files now.
func (v *Watched[T]) renew() error {
	v.tried = v.stat() // before it reads: a change meanwhile is seen the next time
	next, err := v.read()
	if err == nil {
		v.now.Store(&next)
	}
	return err
}

// changed reports whether the files are others than those that were read. Several
// cannot change at the same instant.
func (v *Watched[T]) changed() bool {
	for i, now := range v.stat() {
		was := v.tried[i]
		if (was == nil) != (now == nil) {
			return true
		}
		if now != nil && (!os.SameFile(was, now) || !was.ModTime().Equal(now.ModTime()) || was.Size() != now.Size() || was.Mode() != now.Mode()) {
			return true
		}
	}
	return false
}

// stat looks at the files; one that cannot be looked at is nil.
func (v *Watched[T]) stat() []fs.FileInfo {
	found := make([]fs.FileInfo, len(v.names))
	for i, name := range v.names {
		if fi, err := os.Stat(name); err == nil {
			found[i] = fi
		}
	}
	return found
}

// WarnMounted warns of files that nobody can renew by moving another into their
// place: a file that is mounted by itself, as into a container, stays the one that
// it was when it was mounted.
func WarnMounted(log zerolog.Logger, names ...string) {
	for _, name := range names {
		if isMountPoint(name) {
			log.Warn().Str("file", name).Msg("this file is mounted by itself, so that a new one moved into its place will not be seen: mount its folder")
		}
	}
}
