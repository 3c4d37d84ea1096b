//go:build unix

package dir

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/labnet/labnet/storage"
)

const (
	// canSyncDirs says whether fsync of a directory makes its names durable.
	canSyncDirs = true
	// canHaveHoles says whether what is left out of a file takes no space.
	canHaveHoles = true
	// dirAccess is how a directory must be open for it. Nothing else opens so.
	dirAccess = os.O_RDONLY | syscall.O_DIRECTORY
	// syncAccess is how a file must be open for fsync.
	syncAccess = os.O_RDONLY
)

// noSpace are the errors of a full disk, a used-up quota and a file that is
// larger than the filesystem allows.
var noSpace = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}

// refusedNames are the errors of filesystems that have narrower rules for names.
var refusedNames = []struct {
	err    error
	reason string
}{
	{syscall.ENOTDIR, "it leads through a file here"},
	{syscall.ENAMETOOLONG, "it is too long for the server's filesystem"},
	{syscall.EILSEQ, "it has characters that the server's filesystem cannot keep"},
	{syscall.EXDEV, "it is on another filesystem here, to which no finished file can be moved"},
}

// umask returns the process's file mode creation mask. umask(2) can read it
// only by setting it: a file that another goroutine makes at that very moment
// gets the permissions that it asked for, unmasked.
func umask() fs.FileMode {
	mask := syscall.Umask(0)
	syscall.Umask(mask)
	return fs.FileMode(mask)
}

// isElsewhere reports whether a file cannot be moved because it is on another
// filesystem, another mount of the same, or counts for another project's quota.
func isElsewhere(err error) bool { return errors.Is(err, syscall.EXDEV) }

// in calls do with a folder, which is open.
func (f *osFilesystem) in(folder string, do func(*os.File) error) error {
	if folder == "." {
		return do(f.root.dir)
	}
	dir, err := f.root.OpenFile(folder, dirAccess|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	return do(dir)
}

// inspect is Inspect by what stat(2) tells.
func (f *osFilesystem) inspect(folder string) (folderInfo, error) {
	fi, err := f.root.Stat(folder)
	for errors.Is(err, fs.ErrNotExist) && folder != "." {
		folder = path.Dir(folder)
		fi, err = f.root.Stat(folder)
	}
	if err != nil {
		return folderInfo{}, err
	}
	stat := fi.Sys().(*syscall.Stat_t)
	return folderInfo{name: folder, device: uint64(stat.Dev), group: int(stat.Gid), inherits: filesGetGroupOf(fi)}, nil
}

// links returns how many names f has.
func links(f *os.File) (uint64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return uint64(fi.Sys().(*syscall.Stat_t).Nlink), nil
}

// probe makes a second name for the lock and removes it.
func (f *osFilesystem) probe() error {
	const name = "probe"
	err := f.hidden.Link(lockName, name)
	for _, full := range noSpace {
		if errors.Is(err, full) {
			return nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.hidden.Remove(name)
}

// tryLock locks f, or fails with ErrLocked.
func tryLock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		return storage.ErrLocked
	}
	return os.NewSyscallError("flock", err)
}

// lockNeedsWriting reports whether tryLock may succeed with a file that is open
// for writing, as on NFS. Otherwise it is not, so that a filesystem that fails can
// still become read-only.
func lockNeedsWriting(err error) bool {
	return errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EIO)
}
