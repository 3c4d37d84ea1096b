package dir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/labnet/labnet/storage"
)

// fail marks the store as failed by err and returns the error to report. An
// fsync that failed may succeed when tried again although the data is gone
// (fsync(2)): the kernel has dropped it and reported that once. So the first
// failure is final.
func (d *Store) fail(err error) error {
	err = fmt.Errorf("%w: %w", storage.ErrFailed, err)
	d.failure.CompareAndSwap(nil, &err)
	return err
}

// sync makes durable what is in f, if the store has not failed before.
func (d *Store) sync(f file) error {
	if err := d.failed(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return d.fail(err)
	}
	return nil
}

// syncAndClose is sync for one who needs f no longer. Some filesystems report
// only at close what they could not write (close(2)).
func (d *Store) syncAndClose(f file) error {
	err := d.sync(f)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = d.fail(cerr)
	}
	return err
}

// syncDir makes the names in a directory durable. It opens the directory each
// time because the kernel reports a lost write once per open file: of two who
// share one, the second would hear nothing of it.
func (d *Store) syncDir(name string) error {
	if !canSyncDirs {
		return nil
	}
	f, err := d.fs.OpenFile(name, dirAccess, 0)
	if err != nil {
		return err
	}
	return d.syncAndClose(f)
}

// syncContents makes durable what is in p, which it closes if it has a name: a
// file that waits for others needs no descriptor meanwhile. It reports whether p
// has durably got the name that was asked for, too, as is cheapest for many at once.
func (d *Store) syncContents(ctx context.Context, p *partial) (named bool, err error) {
	together := d.batch.enter(p.ofMany) && p.size < large && !p.place.elsewhere
	defer d.batch.leave()
	defer p.settle()
	// What nobody may read could not be opened again.
	if !p.nameless && p.mode()&0o400 != 0 {
		f := p.f
		p.f = nil
		if !together {
			return false, d.syncAndClose(f)
		}
		if err := f.Close(); err != nil {
			return false, d.fail(err)
		}
	}
	if !together {
		return false, d.sync(p.f)
	}
	p.settle()
	return d.syncTogether(ctx, p)
}

// syncTogether makes durable in one round what is in p, and in the next one its
// name, if p could have it between the two. Otherwise p.linkErr may say why not.
func (d *Store) syncTogether(ctx context.Context, p *partial) (named bool, err error) {
	name := p.file.Name
	var folders []*atomic.Bool
	err = d.batch.rounds.join(func() bool {
		if ctx.Err() != nil || !d.publishing.TryLock(name) {
			return false
		}
		defer func() {
			if !named {
				d.publishing.Unlock(name)
			}
		}()
		p.linkErr = p.link(name)
		if named = p.linkErr == nil; named {
			folders = d.folders.unknown(name)
		}
		return named
	})
	if !named {
		return false, err
	}
	defer d.publishing.Unlock(name)
	if err != nil {
		d.fs.Remove(name)
		return false, err
	}
	markDurable(folders)
	return true, nil
}

// syncName makes durable the name that p has just got and those of the folders
// above it.
func (d *Store) syncName(p *partial, name string) error {
	together := d.batch.enter(p.ofMany) && !p.place.elsewhere
	defer d.batch.leave()
	if !together {
		if p.f != nil { // its first name: that it has one is in the file, too
			if err := d.sync(p.f); err != nil {
				return err
			}
		}
		return d.syncOldName(name)
	}
	folders := d.folders.unknown(name)
	if err := d.batch.rounds.join(nil); err != nil {
		return err
	}
	markDurable(folders)
	return nil
}

// syncOldName is syncName for a file that was there before. It need not be on
// the disk that a round makes durable: somebody may have mounted another one
// on a folder.
func (d *Store) syncOldName(name string) error {
	if !canSyncDirs {
		f, err := d.fs.OpenFile(name, syncAccess, 0)
		if err != nil {
			return err
		}
		return d.syncAndClose(f)
	}
	if err := d.syncDir(path.Dir(name)); err != nil {
		return err
	}
	return d.syncFolders(storage.Ancestors(name))
}

// syncFolders makes durable the names of folders that are there.
func (d *Store) syncFolders(folders []string) error {
	for _, folder := range folders {
		durable := d.folders.entry(folder)
		if durable.Load() {
			continue
		}
		if err := d.syncDir(path.Dir(folder)); err != nil {
			return err
		}
		durable.Store(true)
	}
	return nil
}

// makeRoot is os.MkdirAll that makes the new names durable.
func makeRoot(dir string) error {
	parent := filepath.Dir(dir)
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeRoot(parent); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o777)
	}
	if errors.Is(err, fs.ErrExist) {
		return checkRoot(dir)
	}
	if err != nil || !canSyncDirs {
		return err
	}
	f, err := os.Open(parent)
	if err != nil {
		return err
	}
	return cmp.Or(f.Sync(), f.Close())
}

// checkRoot fails for what is no directory: os.OpenRoot would wait for a FIFO.
func checkRoot(dir string) error {
	fi, err := os.Stat(dir)
	if err == nil && !fi.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	return err
}
