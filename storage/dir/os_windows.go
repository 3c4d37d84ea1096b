package dir

import (
	"cmp"
	"errors"
	"io/fs"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/labnet/labnet/storage"
)

const (
	// canSyncDirs: FlushFileBuffers knows files and volumes only. Instead Store
	// flushes a file again once it has its name. NTFS then writes its log, where
	// the name is, too; but Windows promises nothing of names, and those of empty
	// folders are only written some seconds later.
	canSyncDirs = false
	// canHaveHoles: only a file that was made sparse has holes here.
	canHaveHoles = false
	dirAccess    = os.O_RDONLY
	// syncAccess: FlushFileBuffers wants GENERIC_WRITE.
	syncAccess = os.O_RDWR
)

// noSpace are the errors of a full disk, a used-up quota and a file that is
// larger than the filesystem allows.
var noSpace = []error{
	windows.ERROR_DISK_FULL,
	windows.ERROR_HANDLE_DISK_FULL,
	windows.ERROR_DISK_QUOTA_EXCEEDED,
	windows.ERROR_FILE_TOO_LARGE,
}

// refusedNames are the errors of filesystems that have narrower rules for names.
var refusedNames = []struct {
	err    error
	reason string
}{
	{syscall.ENOTDIR, "it leads through a file here"},
	{windows.ERROR_FILENAME_EXCED_RANGE, "it is too long for the server's filesystem"},
	{windows.ERROR_INVALID_NAME, "it has characters that the server's filesystem cannot keep"},
}

func umask() fs.FileMode { return 0 }

// links returns how many names f has.
func links(f *os.File) (uint64, error) {
	var fi windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &fi); err != nil {
		return 0, os.NewSyscallError("GetFileInformationByHandle", err)
	}
	return uint64(fi.NumberOfLinks), nil
}

// probe makes a file with two names and removes both. It is not the lock: while
// that is open nobody can remove a name of it, because package os opens files
// without FILE_SHARE_DELETE.
func (f *osFilesystem) probe() error {
	const first, second = "probe", "probe2"
	opened, err := f.hidden.Create(first)
	if err == nil {
		err = cmp.Or(opened.Close(), f.hidden.Link(first, second), f.hidden.Remove(second), f.hidden.Remove(first))
	}
	for _, full := range noSpace {
		if errors.Is(err, full) {
			return nil
		}
	}
	return err
}

// Free is GetDiskFreeSpaceEx.
func (f *osFilesystem) Free(string) (freeSpace, error) {
	name, err := windows.UTF16PtrFromString(f.root.dir.Name())
	if err != nil {
		return freeSpace{}, err
	}
	var free, all uint64
	err = windows.GetDiskFreeSpaceEx(name, &free, &all, nil)
	return freeSpace{bytes: int64(min(free, math.MaxInt64)), allBytes: int64(min(all, math.MaxInt64)), files: math.MaxInt64}, os.NewSyscallError("GetDiskFreeSpaceEx", err)
}

// Inspect tells nothing: who mounts a volume in a folder of the store is told so
// when a file cannot be moved there.
func (*osFilesystem) Inspect(string) (folderInfo, error) { return folderInfo{}, errors.ErrUnsupported }

// isElsewhere reports whether a file cannot be moved because it is on another volume.
func isElsewhere(err error) bool { return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) }

// Chmod does nothing. All that Windows knows of these permissions is a flag that
// says read-only, and nobody could flush or replace a file that has it.
func (osFile) Chmod(fs.FileMode) error { return nil }

// tryLock locks f, or fails with ErrLocked.
func tryLock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if err == windows.ERROR_LOCK_VIOLATION || err == windows.ERROR_IO_PENDING {
		return storage.ErrLocked
	}
	return os.NewSyscallError("LockFileEx", err)
}

func lockNeedsWriting(error) bool { return false }

// changeTime is when a file, or what is known of it, was last changed. Here nobody
// tells.
func changeTime(fs.FileInfo) int64 { return 0 }
