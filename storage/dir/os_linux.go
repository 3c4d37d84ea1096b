package dir

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Move is renameat2. Not every filesystem knows its flag.
func (f *osFilesystem) Move(oldname, newname string) error {
	to, base, err := f.folderOf(newname)
	if err != nil {
		return err
	}
	defer to.close()
	err = unix.Renameat2(int(f.hidden.dir.Fd()), path.Base(oldname), to.fd, base, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL {
		return errors.ErrUnsupported
	}
	return os.NewSyscallError("renameat2", err)
}

// Chtimes is utimensat. Package os counts nanoseconds in 64 bits, and has times
// before 1678 and after 2262 in other centuries.
func (f *osFilesystem) Chtimes(name string, mtime time.Time) error {
	times, err := modTime(mtime)
	if err != nil {
		return err
	}
	at, name := f.at(name)
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(int(at.dir.Fd()), name, times, unix.AT_SYMLINK_NOFOLLOW))
}

// modTime is what utimensat is told to set the time of the last modification only.
func modTime(t time.Time) ([]unix.Timespec, error) {
	spec, err := unix.TimeToTimespec(t)
	if err != nil { // its seconds have 32 bits here
		return nil, errors.ErrUnsupported
	}
	return []unix.Timespec{{Nsec: unix.UTIME_OMIT}, spec}, nil
}

// A folder is open to look up names in it.
type folder struct {
	fd    int
	close func() error
}

// folderOf opens the folder that name is in, and returns what name is there.
func (f *osFilesystem) folderOf(name string) (folder, string, error) {
	at, name := f.at(name)
	parent, base := path.Split(name)
	if parent == "" {
		return folder{int(at.dir.Fd()), func() error { return nil }}, base, nil
	}
	parent = path.Clean(parent)
	if fd, err := at.beneath(parent, unix.O_DIRECTORY); err == nil {
		return folder{fd, func() error { return unix.Close(fd) }}, base, nil
	}
	dir, err := at.OpenFile(parent, unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return folder{}, "", err
	}
	return folder{int(dir.Fd()), dir.Close}, base, nil
}

// lstat is Lstat in fewer calls of the system, see beneath.
func (a anchor) lstat(name string) (fs.FileInfo, error) {
	fd, err := a.beneath(name, unix.O_NOFOLLOW)
	switch {
	case err == unix.ENOENT:
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: err}
	case err != nil:
		return a.Lstat(name)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return f.Stat()
}

// beneath opens what has a name, but not its contents. A symlink that leads out
// is an error. It takes one call of the system (openat2, since Linux 5.6), where
// an os.Root takes three for every folder; but the os.Root must be asked after an
// error, which may be about openat2 itself.
func (a anchor) beneath(name string, flags uint64) (fd int, err error) {
	return unix.Openat2(int(a.dir.Fd()), name, &unix.OpenHow{
		Flags:   flags | unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH,
	})
}

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

// Inspect is statx, which tells a mount from others of the same filesystem.
func (f *osFilesystem) Inspect(folder string) (folderInfo, error) {
	for {
		fd, err := f.root.beneath(folder, unix.O_DIRECTORY)
		var info unix.Statx_t
		if err == nil {
			err = unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &info)
			unix.Close(fd)
		}
		switch {
		case err == unix.ENOENT && folder != ".":
			folder = path.Dir(folder)
			continue
		case err != nil:
			return f.inspect(folder)
		case info.Mask&unix.STATX_MNT_ID == 0:
			info.Mnt_id = 0
		}
		return folderInfo{
			name:     folder,
			device:   unix.Mkdev(info.Dev_major, info.Dev_minor),
			mount:    info.Mnt_id,
			group:    int(info.Gid),
			inherits: info.Mode&unix.S_ISGID != 0,
		}, nil
	}
}

// filesGetGroupOf reports whether files that are made in a folder get its group.
func filesGetGroupOf(fi fs.FileInfo) bool { return fi.Mode()&fs.ModeSetgid != 0 }

// Free is fstatfs.
func (f *osFilesystem) Free(folder string) (freeSpace, error) {
	var fs unix.Statfs_t
	err := f.in(folder, func(dir *os.File) error { return unix.Fstatfs(int(dir.Fd()), &fs) })
	if err != nil {
		return freeSpace{}, os.NewSyscallError("fstatfs", err)
	}
	if fs.Blocks == 0 { // some filesystems in user space do not count
		return freeSpace{}, errors.ErrUnsupported
	}
	free := freeSpace{bytes: int64(fs.Bavail) * int64(fs.Frsize), allBytes: int64(fs.Blocks) * int64(fs.Frsize), files: math.MaxInt64}
	if fs.Files > 0 { // btrfs and others make as many as there is space for
		free.files, free.all = int64(fs.Ffree), int64(fs.Files)
	}
	return free, nil
}

// syncAll writes out the whole filesystem of f. The kernel reports a lost
// write once per open file: so f must have been open since before the write.
func syncAll(f *os.File) error {
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}

func allocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
		switch {
		case err == unix.EINTR:
			continue
		case errors.Is(err, errors.ErrUnsupported):
			return errors.ErrUnsupported
		}
		return os.NewSyscallError("fallocate", err)
	}
}

// clone is FICLONE (ioctl_ficlone(2)), which writes out first what is in memory of the
// other file. What else it needs differs between filesystems.
func clone(f, of *os.File) error {
	switch err := unix.IoctlFileClone(int(f.Fd()), int(of.Fd())); err {
	case nil:
		return nil
	case unix.EIO, unix.ENOSPC, unix.EDQUOT, unix.EROFS:
		return os.NewSyscallError("ioctl", err)
	default:
		return errors.ErrUnsupported
	}
}

// A nameless is the way in which files without a name get one: see open(2),
// O_TMPFILE.
type nameless int

const (
	never        nameless = iota // there are no such files
	byDescriptor                 // linkat with AT_EMPTY_PATH
	byProc                       // linkat of what /proc calls the descriptor: it may not be mounted
)

// findNameless tries out which way there is, first the one that costs less. That
// needs CAP_DAC_READ_SEARCH: since Linux 6.10 it may do without, but only with the
// very credentials that opened the file, and those of each thread become its own
// when the process is confined.
func (f *osFilesystem) findNameless() {
	ways := []nameless{byDescriptor, byProc}
	if !hasCapability(unix.CAP_DAC_READ_SEARCH) {
		ways = ways[1:]
	}
	for _, f.nameless = range ways {
		if f.tryNameless() == nil {
			return
		}
	}
	f.nameless = never
}

// hasCapability reports whether this thread has a capability (capabilities(7)).
func hasCapability(number uint) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	return unix.Capget(&header, &sets[0]) == nil && sets[number/32].Effective&(1<<(number%32)) != 0
}

func (f *osFilesystem) tryNameless() error {
	file, err := f.CreateNameless(hidden, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	name := path.Join(hidden, "nameless")
	if err := file.SetModTime(time.Now()); err != nil {
		return err
	}
	if err := file.Link(name); err != nil {
		return err
	}
	return f.Remove(name)
}

func (f *osFilesystem) CreateNameless(folder string, perm fs.FileMode) (file, error) {
	at := f.root
	if folder == hidden {
		at, folder = f.hidden, "."
		if f.nameless == never {
			return nil, errors.ErrUnsupported
		}
	}
	opened, err := at.OpenFile(folder, unix.O_TMPFILE|unix.O_RDWR|unix.O_NONBLOCK, perm)
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL) { // of a kernel or filesystem that knows no O_TMPFILE
		err = errors.ErrUnsupported
	}
	if err != nil {
		return nil, err
	}
	return osFile{opened, f}, nil
}

func (f osFile) SetModTime(t time.Time) error {
	times, err := modTime(t)
	if err != nil {
		return err
	}
	err = unix.UtimesNanoAt(int(f.Fd()), "", times, unix.AT_EMPTY_PATH) // since Linux 5.8
	return os.NewSyscallError("utimensat", err)
}

func (f osFile) Link(name string) error {
	to, base, err := f.in.folderOf(name)
	if err != nil {
		return err
	}
	defer to.close()
	if f.in.nameless == byDescriptor {
		err = unix.Linkat(int(f.Fd()), "", to.fd, base, unix.AT_EMPTY_PATH)
	} else {
		err = unix.Linkat(unix.AT_FDCWD, fmt.Sprint("/proc/self/fd/", f.Fd()), to.fd, base, unix.AT_SYMLINK_FOLLOW)
	}
	return os.NewSyscallError("linkat", err)
}

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

// changeTime is when a file, or what is known of it, was last changed.
func changeTime(fi fs.FileInfo) int64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return syscall.TimespecToNsec(st.Ctim)
	}
	return 0
}
