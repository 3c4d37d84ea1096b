//go:build darwin || freebsd

package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Free is fstatfs.
func (f *osFilesystem) Free() (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.root.dir.Fd()), &fs); err != nil {
		return 0, os.NewSyscallError("fstatfs", err)
	}
	if fs.Blocks == 0 {
		return 0, errors.ErrUnsupported
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil
}
