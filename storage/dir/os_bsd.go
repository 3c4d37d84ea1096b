//go:build darwin || freebsd

package dir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Free is fstatfs.
func (f *osFilesystem) Free(folder string) (int64, error) {
	var fs unix.Statfs_t
	err := f.in(folder, func(dir *os.File) error { return unix.Fstatfs(int(dir.Fd()), &fs) })
	if err != nil {
		return 0, os.NewSyscallError("fstatfs", err)
	}
	if fs.Blocks == 0 {
		return 0, errors.ErrUnsupported
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil
}

func setAttribute(f *os.File, name, value string) error {
	return os.NewSyscallError("fsetxattr", unix.Fsetxattr(int(f.Fd()), name, []byte(value), 0))
}
