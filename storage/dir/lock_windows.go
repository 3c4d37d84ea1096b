package storage

import (
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks f, or fails with ErrLocked.
func tryLock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if err == windows.ERROR_LOCK_VIOLATION || err == windows.ERROR_IO_PENDING {
		return ErrLocked
	}
	return os.NewSyscallError("LockFileEx", err)
}

func lockNeedsWriting(error) bool { return false }
