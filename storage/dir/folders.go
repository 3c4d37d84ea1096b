package dir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/labnet/labnet/storage"
)

// MakeFolder implements [Store].
func (d *Store) MakeFolder(ctx context.Context, name string, modes []fs.FileMode) error {
	if err := d.checkFolderName(ctx, name); err != nil {
		return err
	}
	if err := d.makeFolder(name, modes); err != nil {
		return fmt.Errorf("make folder %q: %w", name, d.explain(name, err))
	}
	return nil
}

// checkFolderName fails if a folder of that name cannot be asked for, now or at all.
func (d *Store) checkFolderName(ctx context.Context, name string) error {
	return cmp.Or(d.names.Check(name), d.checkAlias(name), ctx.Err(), d.Err())
}

func (d *Store) makeFolder(name string, modes []fs.FileMode) error {
	if d.isClosed() {
		return errClosed
	}
	if err := d.atPath(); err != nil {
		return err
	}
	folders := append(storage.Ancestors(name), name)
	err := d.checkFolders(name, folders)
	if errors.Is(err, fs.ErrNotExist) {
		err = d.space.claim(0, false)
	}
	if err != nil {
		return err
	}
	made, err := d.makeFolders(folders, modes, 0, name)
	if err == nil {
		// A file may have come meanwhile, and so be what exists.
		err = d.checkFolders(name, []string{name})
	}
	if err == nil {
		err = d.syncFolders(folders)
	}
	d.folders.settle(d.fs, made, err == nil)
	return err
}

// CheckFolder implements [storage.FolderChecker].
func (d *Store) CheckFolder(ctx context.Context, name string) error {
	if err := cmp.Or(d.checkFolderName(ctx, name), d.atPath()); err != nil {
		return err
	}
	folders := append(storage.Ancestors(name), name)
	err := d.checkFolders(name, folders)
	var other *storage.NameError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return storage.ErrAbsent
	case errors.As(err, &other):
		return fmt.Errorf("%w: %s", storage.ErrDifferent, other.Reason)
	case err == nil:
		err = d.syncFolders(folders)
	}
	if err != nil {
		return fmt.Errorf("check folder %q: %w", name, d.explain(name, err))
	}
	return nil
}

// checkFolders fails with fs.ErrNotExist if one of the folders, outermost
// first, does not exist, and with a *NameError for name if one is none.
func (d *Store) checkFolders(name string, folders []string) error {
	for _, folder := range folders {
		fi, err := d.fs.Lstat(folder)
		if err != nil {
			return err
		}
		if !fi.IsDir() {
			return &storage.NameError{Name: name, Reason: fmt.Sprintf("%q is not a folder here", folder)}
		}
	}
	return nil
}

// checkCollision fails if p cannot become a file because of what is there.
func (d *Store) checkCollision(p *partial) error {
	name := p.file.Name
	var unknown []string
	for _, folder := range storage.Ancestors(name) {
		if !d.folders.known(folder) {
			unknown = append(unknown, folder)
		}
	}
	err := d.checkFolders(name, unknown)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	fi, err := d.fs.Lstat(name)
	if err == nil {
		p.there = fi
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case fi.IsDir():
		return &storage.NameError{Name: name, Reason: "it is a folder here"}
	case p.onConflict == storage.Refuse && p.file.Size >= 0 && p.file.Size != fi.Size():
		return storage.ErrExists
	}
	return nil
}

// makeFolders makes folders, outermost first, and returns those that did not
// exist, which the caller must settle. Modes are those from the one on that has
// the index first. The one called wanted, if any, stays even if another caller
// has made it and fails.
func (d *Store) makeFolders(folders []string, modes []fs.FileMode, first int, wanted string) (made []string, err error) {
	for i, folder := range folders {
		mode := storage.FolderMode(modes, i-first)
		switch err := d.folders.make(d.mkdir, folder, mode, folder == wanted); {
		case err == nil:
			made = append(made, folder)
		case !errors.Is(err, fs.ErrExist):
			return made, err
		}
	}
	return made, nil
}

// folders remembers which folders of a store are known to be durable
// themselves. A folder that one upload has just made is there for another one,
// too, and both must wait until its name is durable.
type folders struct {
	mu      sync.Mutex
	durable map[string]*atomic.Bool
	fresh   map[string]bool // those that go if the upload that made them fails
}

// maxFolderEntries bounds the memory; to forget a folder costs one fsync.
const maxFolderEntries = 1 << 16

// entry returns what is known of the folder of that name that exists now. It
// is set once an fsync that began after the call has made the name durable. If
// the folder is made again meanwhile, that sets an entry nobody looks at.
func (s *folders) entry(name string) *atomic.Bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.durable[name]
	if e == nil {
		if s.durable == nil || len(s.durable) >= maxFolderEntries {
			s.durable = make(map[string]*atomic.Bool)
		}
		e = new(atomic.Bool)
		s.durable[strings.Clone(name)] = e
	}
	return e
}

// unknown returns the entries of the folders above name that are not known to be
// durable. What is known of a folder once name is there is known of the one that
// it is in.
func (s *folders) unknown(name string) (entries []*atomic.Bool) {
	for _, folder := range storage.Ancestors(name) {
		if durable := s.entry(folder); !durable.Load() {
			entries = append(entries, durable)
		}
	}
	return entries
}

func markDurable(entries []*atomic.Bool) {
	for _, durable := range entries {
		durable.Store(true)
	}
}

// known reports whether the folder of that name is known to be durable.
func (s *folders) known(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.durable[name]
	return e != nil && e.Load()
}

// make makes a folder and forgets the one that had its name before, both in
// one step for those who call entry. One that exists and is wanted does not go
// any more when its maker fails.
func (s *folders) make(mkdir func(string, fs.FileMode) error, name string, mode fs.FileMode, wanted bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := mkdir(name, mode)
	switch {
	case err == nil:
		delete(s.durable, name)
		if s.fresh == nil {
			s.fresh = make(map[string]bool)
		}
		s.fresh[name] = true
	case wanted && errors.Is(err, fs.ErrExist):
		delete(s.fresh, name)
	}
	return err
}

// settle ends the making of folders, outermost first: they stay, or they go
// unless somebody else uses them.
func (s *folders) settle(filesystem filesystem, made []string, stay bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(made) - 1; i >= 0; i-- {
		if !stay && s.fresh[made[i]] {
			filesystem.Remove(made[i]) // fails if it is not empty
		}
		delete(s.fresh, made[i])
	}
}
