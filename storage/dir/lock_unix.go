//go:build unix

package storage

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks f, or fails with ErrLocked.
func tryLock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		return ErrLocked
	}
	return os.NewSyscallError("flock", err)
}

// lockNeedsWriting reports whether tryLock may succeed with a file that is open
// for writing, as on NFS. Otherwise it is not, so that a filesystem that fails can
// still become read-only.
func lockNeedsWriting(err error) bool {
	return errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EIO)
}
