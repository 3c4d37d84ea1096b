package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
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

func openLock(folder *os.Root, flag int) (*os.File, error) {
	fi, err := folder.Lstat(lockName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && !fi.Mode().IsRegular() {
		return nil, errNoLock
	}
	f, err := OpenUnleased(
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
