package storage

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gofrs/flock"
)

const (
	// hidden is the folder of a Dir that holds partials and the lock. No name
	// that CheckName accepts leads into it.
	hidden   = ".labnet"
	lockName = "lock"
)

// DirOptions are the choices of [OpenDir]; the zero value is usable.
type DirOptions struct {
	// OnConflict says what becomes of a file whose name is taken.
	OnConflict Conflict
}

// A Dir is a [Store] that keeps files in a directory, each under its own name.
//
// Whoever else writes to the directory may do so: what was not uploaded is
// never lost by accident, and symlinks are not followed out of it. Only one
// thing cannot be seen: a folder that another process removes and makes anew
// is taken for the old one, whose name was durable.
type Dir struct {
	path  string
	fs    filesystem
	root  *os.Root
	lock  *flock.Flock
	umask fs.FileMode

	onConflict Conflict
	publishing *nameLocks
	folders    folders

	failure atomic.Pointer[error]

	mu       sync.Mutex
	closed   bool
	partials map[*partial]struct{}
}

// OpenDir opens the store in the directory dir, which it makes if need be, and
// removes what an earlier process left unfinished there. A store is open once
// at a time: while another process has it, OpenDir fails with ErrLocked.
//
// The filesystem must have hard links. OpenDir reads the process's umask, on
// Unix by setting it for a moment.
func OpenDir(dir string, o DirOptions) (*Dir, error) {
	d, err := openDir(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", dir, err)
	}
	return d, nil
}

func openDir(dir string, o DirOptions) (_ *Dir, err error) {
	if err := makeRoot(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	d := &Dir{
		path:       dir,
		fs:         osFilesystem{root},
		root:       root,
		lock:       flock.New(filepath.Join(dir, hidden, lockName)),
		umask:      umask(),
		onConflict: o.OnConflict,
		publishing: newNameLocks(),
		partials:   make(map[*partial]struct{}),
	}
	defer func() {
		if err != nil {
			d.lock.Close()
			root.Close()
		}
	}()
	if err := root.Mkdir(hidden, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if fi, err := root.Lstat(hidden); err != nil {
		return nil, err
	} else if !fi.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", hidden)
	}
	if locked, err := d.lock.TryLock(); err != nil {
		return nil, err
	} else if !locked {
		return nil, ErrLocked
	}
	if err := d.removeLeftovers(); err != nil {
		return nil, err
	}
	// A filesystem that cannot do what Commit needs is better found out now.
	probe := path.Join(hidden, "probe")
	if err := cmp.Or(root.Link(path.Join(hidden, lockName), probe), root.Remove(probe)); err != nil {
		return nil, err
	}
	return d, d.syncDir(".")
}

func (d *Dir) removeLeftovers() error {
	entries, err := fs.ReadDir(d.root.FS(), hidden)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if err := d.fs.Remove(path.Join(hidden, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Create implements [Store]. On Linux it reserves the blocks of a file of known
// size, so that a medium that is too small is found out at once.
func (d *Dir) Create(ctx context.Context, f File) (Partial, error) {
	p := &partial{
		dir:        d,
		file:       f,
		onConflict: d.onConflict,
		path:       path.Join(hidden, rand.Text()+".partial"),
	}
	if f.Name == "" {
		p.file.Name = RandomName()
		p.onConflict = Rename // nobody meant to replace that one
	} else if err := CheckName(f.Name); err != nil {
		return nil, err
	}
	if f.Digest.New != nil {
		p.hash = f.Digest.New()
	}
	if err := cmp.Or(ctx.Err(), d.Err()); err != nil {
		return nil, err
	}

	p.mu.Lock() // Close waits for it
	defer p.mu.Unlock()
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil, errClosed
	}
	d.partials[p] = struct{}{}
	d.mu.Unlock()

	if err := p.begin(); err != nil {
		p.end()
		return nil, fmt.Errorf("create %q: %w", p.file.Name, explain(p.file.Name, err))
	}
	return p, nil
}

// checkCollision fails if p cannot become a file because of what is there.
func (d *Dir) checkCollision(p *partial) error {
	name := p.file.Name
	for _, folder := range ancestors(name) {
		if d.folders.known(folder) {
			continue
		}
		fi, err := d.fs.Lstat(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !fi.IsDir():
			return &NameError{Name: name, Reason: fmt.Sprintf("%q is not a folder here", folder)}
		}
	}
	fi, err := d.fs.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case fi.IsDir():
		return &NameError{Name: name, Reason: "it is a folder here"}
	case p.onConflict == Refuse && p.file.Size >= 0 && p.file.Size != fi.Size():
		return ErrExists
	}
	return nil
}

// Err implements [Store].
func (d *Dir) Err() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Close implements [Store]. It waits for a Create or Commit in progress, but
// not for a ReadFrom that waits for its reader.
func (d *Dir) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	open := d.partials
	d.partials = nil
	d.mu.Unlock()

	var errs []error
	for p := range open {
		errs = append(errs, p.Abort())
	}
	return errors.Join(append(errs, d.root.Close(), d.lock.Close())...)
}
