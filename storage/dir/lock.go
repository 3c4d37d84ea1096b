package dir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/labnet/labnet/storage"
)

// lockStore takes the lock in the hidden folder, which is freed when the file is
// closed, or fails with ErrLocked. What somebody has put there in place of a file
// is neither followed out of the folder nor waited for.
func lockStore(folder *os.Root) (*os.File, error) {
	f, err := openLock(folder, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	if err = tryLock(f); lockNeedsWriting(err) {
		f.Close()
		if f, err = openLock(folder, os.O_RDWR); err != nil {
			return nil, err
		}
		err = tryLock(f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// InUse reports whether a folder, of which the entries are known, is a store that a
// process has open, or that it may be: its lock cannot be looked at. It holds the lock
// for a moment, in which [Open] fails.
func InUse(folder string, entries []fs.DirEntry) bool {
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == hidden && e.IsDir() }) {
		return false
	}
	f, err := os.OpenFile(filepath.Join(folder, hidden, lockName), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return errors.Is(err, fs.ErrPermission)
	}
	defer f.Close()
	return errors.Is(tryLock(f), storage.ErrLocked)
}

func openLock(folder *os.Root, flag int) (*os.File, error) {
	fi, err := folder.Lstat(lockName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && !fi.Mode().IsRegular() {
		return nil, errNoLock
	}
	f, err := storage.OpenUnleased(
		func() (*os.File, error) {
			return folder.OpenFile(lockName, flag|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
		},
		func() (fs.FileInfo, error) { return folder.Lstat(lockName) })
	if err != nil {
		return nil, err
	}
	if fi, err = f.Stat(); err == nil && !fi.Mode().IsRegular() {
		err = errNoLock
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

var errNoLock = fmt.Errorf("%s is not a file", path.Join(hidden, lockName))
