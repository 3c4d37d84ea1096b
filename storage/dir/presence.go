package dir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/labnet/labnet/storage"
)

// A presence tells whether a Store is still at its path. If its directory is not,
// receipts would name files that are not there; if its lock is not, another server
// could open a store at that path.
type presence struct {
	root, lock fs.FileInfo

	mu      sync.Mutex
	looking bool
	looked  time.Time
	err     error
}

// findPresence remembers what is at the path now.
func (d *Store) findPresence() (err error) {
	if d.presence.root, err = d.os.root.dir.Stat(); err != nil {
		return err
	}
	d.presence.lock, err = d.lock.Stat()
	return err
}

// atPath fails with ErrGone unless the store's directory is at its path.
func (d *Store) atPath() error {
	return d.fs.do(func() error { return isAt(d.path, d.presence.root) })
}

// look is atPath for the directory and the lock.
func (d *Store) look() error {
	return d.fs.do(func() error {
		return cmp.Or(isAt(d.path, d.presence.root), isAt(filepath.Join(d.path, hidden, lockName), d.presence.lock))
	})
}

// lookedFor returns what look has found within the last second.
func (d *Store) lookedFor() error {
	s := &d.presence
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.looking && time.Since(s.looked) >= lookAgain {
		s.looking = true
		s.mu.Unlock()
		err := d.look() // may hang with the filesystem
		s.mu.Lock()
		s.looking, s.looked, s.err = false, time.Now(), err
	}
	return s.err
}

// isAt fails with ErrGone unless path leads to own. If this user may not see it or
// the system cannot tell, it is assumed to be there.
func isAt(path string, own fs.FileInfo) error {
	fi, err := os.Stat(path)
	for _, gone := range []error{fs.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w: %v", storage.ErrGone, err) // not a missing file of an upload
		}
	}
	if err == nil && !os.SameFile(fi, own) {
		return fmt.Errorf("%w: %q is another one", storage.ErrGone, path)
	}
	return nil
}
