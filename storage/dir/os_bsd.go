//go:build darwin || freebsd

package dir

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Free is fstatfs.
func (f *osFilesystem) Free(folder string) (freeSpace, error) {
	var fs unix.Statfs_t
	err := f.in(folder, func(dir *os.File) error { return unix.Fstatfs(int(dir.Fd()), &fs) })
	if err != nil {
		return freeSpace{}, os.NewSyscallError("fstatfs", err)
	}
	if fs.Blocks == 0 {
		return freeSpace{}, errors.ErrUnsupported
	}
	free := freeSpace{bytes: int64(fs.Bavail) * int64(fs.Bsize), allBytes: int64(fs.Blocks) * int64(fs.Bsize), files: math.MaxInt64}
	if fs.Files > 0 { // btrfs and others make as many as there is space for
		free.files, free.all = int64(fs.Ffree), int64(fs.Files)
	}
	return free, nil
}

// changeTime is when a file, or what is known of it, was last changed.
func changeTime(fi fs.FileInfo) int64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return syscall.TimespecToNsec(st.Ctimespec)
	}
	return 0
}
