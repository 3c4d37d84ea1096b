package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// writeOut must not wait for what it begins: the flags of sync_file_range(2)
// that do would take from the open file the failure of a write that its fsync
// has to report.
func writeOut(f *os.File, offset, n int64) error {
	err := unix.SyncFileRange(int(f.Fd()), offset, n, unix.SYNC_FILE_RANGE_WRITE)
	switch {
	case err == nil, errors.Is(err, errors.ErrUnsupported), err == unix.EPERM: // EPERM: of a sandbox
		return nil
	}
	return os.NewSyscallError("sync_file_range", err)
}
