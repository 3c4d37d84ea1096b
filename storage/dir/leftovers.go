package dir

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/labnet/labnet/storage"
)

// A leftover is what a Store knows of one.
type leftover struct {
	size  int64
	since time.Time // when it was left
}

// Leftovers lists what interrupted uploads have left, the oldest first, without
// those that are being resumed.
func (d *Store) Leftovers() []storage.Leftover {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.leftovers()
}

// leftovers needs mu.
func (d *Store) leftovers() []storage.Leftover {
	now := time.Now()
	var list []storage.Leftover
	for _, name := range d.idle() {
		l := d.left[name]
		list = append(list, l.public(name, now.Sub(l.since)))
	}
	return list
}

// Left implements [storage.Meter].
func (d *Store) Left(f storage.File) storage.Usage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return storage.Left(func(yield func(storage.Leftover) bool) {
		for name, l := range d.left {
			if d.partials[name] == nil && !yield(l.public(name, 0)) {
				return
			}
		}
	}, f)
}

// public is what others are told of a leftover of that name and age.
func (l leftover) public(name string, age time.Duration) storage.Leftover {
	base := path.Base(name)
	return storage.Leftover{Name: base, Owner: storage.OwnerOf(base), Size: l.size, Age: age}
}

// idle lists by name the leftovers that nobody is writing, oldest first. It
// needs mu.
func (d *Store) idle() []string {
	return slices.SortedFunc(func(yield func(string) bool) {
		for name := range maps.Keys(d.left) {
			if d.partials[name] == nil && !yield(name) {
				return
			}
		}
	}, func(a, b string) int {
		return cmp.Or(d.left[a].since.Compare(d.left[b].since), cmp.Compare(a, b))
	})
}

// readLeftovers takes stock of what earlier processes left and removes what no
// upload can continue with, what has expired, and what is too much.
func (d *Store) readLeftovers(now time.Time) error {
	entries, err := fs.ReadDir(d.os.root.FS(), hidden)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(hidden, e.Name())
		if e.Name() == lockName || slices.Contains(d.foreign, e.Name()) {
			continue
		}
		if isResumable(e.Name()) {
			l, err := d.inspect(name, now)
			if err != nil {
				return err
			}
			if l.size > 0 && l.size <= d.bounds.Bytes && now.Sub(l.since) <= d.bounds.Age {
				d.left[name] = l
				continue
			}
		}
		if err := d.fs.Remove(name); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trim()
	return nil
}

// inspect looks at a leftover of an earlier process and frees the blocks that
// are reserved for it. Its size is 0 if no upload can continue with it.
func (d *Store) inspect(name string, now time.Time) (leftover, error) {
	f, fi, err := d.openLeft(name)
	if f == nil || err != nil {
		return leftover{}, err
	}
	// A clock may have been set back. What seems to come from the future is
	// taken to be new, and gets that time, so that it ages from now on.
	l := leftover{fi.Size(), now.Add(-max(0, now.Sub(fi.ModTime())))}
	err = cmp.Or(f.Truncate(l.size), f.Close())
	if err == nil {
		err = d.tolerate("times cannot be set here: interrupted uploads may expire too soon or too late", d.fs.Chtimes(name, l.since))
	}
	if err != nil {
		return leftover{}, nil
	}
	return l, nil
}

// forget ends the entry of a partial that was being written. If it is kept,
// it is one that was left.
func (d *Store) forget(p *partial, kept bool, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.partials, p.path)
	switch {
	case !kept:
		delete(d.left, p.path)
	case p.size > 0:
		d.left[p.path] = leftover{p.size, now}
		d.trim()
	}
}

// trim removes leftovers until the rest is within the bounds. It needs mu.
func (d *Store) trim() {
	for _, l := range d.bounds.Excess(d.leftovers()) {
		d.discard(path.Join(hidden, l.Name))
	}
}

// discard removes a leftover that nobody is writing. If that fails it is tried
// again later. It needs mu, which keeps Create from resuming it meanwhile.
func (d *Store) discard(name string) {
	if err := d.fs.Remove(name); err == nil || errors.Is(err, fs.ErrNotExist) {
		delete(d.left, name)
	}
}

// removeExpired removes the leftovers that are too old.
func (d *Store) removeExpired(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range d.idle() {
		if now.Sub(d.left[name].since) > d.bounds.Age {
			d.discard(name)
		}
	}
}

// expire calls removeExpired now and then until the store is closed.
func (d *Store) expire() {
	tick := time.NewTicker(max(time.Second, d.bounds.Age/24))
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			d.removeExpired(now)
		case <-d.closing:
			return
		}
	}
}
