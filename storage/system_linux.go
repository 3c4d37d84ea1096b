package storage

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// Move is renameat2. Not every filesystem knows its flag.
func (f *osFilesystem) Move(oldname, newname string) error {
	to, base, err := f.folderOf(newname)
	if err != nil {
		return err
	}
	defer to.close()
	err = unix.Renameat2(int(f.hiddenDir.Fd()), path.Base(oldname), int(to.Fd()), base, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL {
		return errors.ErrUnsupported
	}
	return os.NewSyscallError("renameat2", err)
}

// A folder is open to look up names in it.
type folder struct {
	*os.File
	close func() error
}

// folderOf opens the folder that name is in, and returns what name is there.
func (f *osFilesystem) folderOf(name string) (folder, string, error) {
	root, name := f.at(name)
	parent, base := path.Split(name)
	switch {
	case parent != "":
		dir, err := root.OpenFile(path.Clean(parent), unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
		if err != nil {
			return folder{}, "", err
		}
		return folder{dir, dir.Close}, base, nil
	case root == f.hidden:
		return folder{f.hiddenDir, stayOpen}, base, nil
	}
	return folder{f.rootDir, stayOpen}, base, nil
}

func stayOpen() error { return nil }

// canSyncAll reports whether syncfs can be relied on: elsewhere it may do
// nothing (FUSE), or not report what could not be written (before Linux 5.8).
func canSyncAll(f *os.File) bool {
	var name unix.Utsname
	var major, minor int
	if err := unix.Uname(&name); err != nil {
		return false
	}
	fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor)
	if major < 5 || major == 5 && minor < 8 {
		return false
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return false
	}
	switch uint32(fs.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC:
		return true
	}
	return false
}

// Free is fstatfs.
func (f *osFilesystem) Free() (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.rootDir.Fd()), &fs); err != nil {
		return 0, os.NewSyscallError("fstatfs", err)
	}
	if fs.Blocks == 0 { // some filesystems in user space do not count
		return 0, errors.ErrUnsupported
	}
	return int64(fs.Bavail) * int64(fs.Frsize), nil
}

// syncAll writes out the whole filesystem of f. The kernel reports a lost
// write once per open file: so f must have been open since before the write.
func syncAll(f *os.File) error {
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}
