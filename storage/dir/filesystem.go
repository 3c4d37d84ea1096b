package dir

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// A filesystem is every call by which a Store keeps a file, so that tests can
// watch the calls and let them fail. Names are relative to the directory and
// slash-separated. None of the calls follows a symlink out of the directory.
type filesystem interface {
	Lstat(name string) (fs.FileInfo, error)
	OpenFile(name string, flag int, perm fs.FileMode) (file, error)
	// CreateNameless makes a file on the filesystem of a folder, which has no name
	// before its Link is called: if it is closed before, or the process dies,
	// there is nothing left of it. Where that cannot be done it fails with
	// errors.ErrUnsupported.
	CreateNameless(folder string, perm fs.FileMode) (file, error)
	// Chmod may follow a symlink within the directory.
	Chmod(name string, mode fs.FileMode) error
	// Inspect tells of a folder, or of the deepest one above it if it is not
	// there. Where nobody can tell it fails with errors.ErrUnsupported.
	Inspect(folder string) (folderInfo, error)
	// Chtimes sets the time of the last modification of a file in the hidden
	// folder. It fails with errors.ErrUnsupported for a time that the system
	// cannot be told.
	Chtimes(name string, mtime time.Time) error
	Mkdir(name string, perm fs.FileMode) error
	Link(oldname, newname string) error
	// Move gives a file in the hidden folder another name, outside, in one
	// step, unless that name is taken: then it fails with fs.ErrExist. It fails
	// with errors.ErrUnsupported where that cannot be done.
	Move(oldname, newname string) error
	Rename(oldname, newname string) error
	Remove(name string) error
	// Free returns what is free for this user on the disk that a folder is on.
	// Where nobody can tell it fails with errors.ErrUnsupported.
	Free(folder string) (freeSpace, error)
	// SyncAll makes durable the contents and names of everything on the disk
	// that was there when it was called.
	SyncAll() error
	// Try makes a file durable in the hidden folder and removes it. It calls
	// written before it waits for the disk.
	Try(written func()) error
}

// A freeSpace is what is free on a disk.
type freeSpace struct {
	bytes int64
	files int64 // that can be made; math.MaxInt64 if they have no limit of their own
	all   int64 // how many there can be, if they have

	allBytes int64 // how many there can be for all users
}

// A file is an open file or directory of a filesystem.
type file interface {
	io.ReadWriteCloser
	io.ReaderAt
	io.Seeker
	Stat() (fs.FileInfo, error)
	// Links returns how many names the file has.
	Links() (uint64, error)
	Chmod(mode fs.FileMode) error
	// Chown gives the file another group, and another owner unless uid is -1.
	Chown(uid, gid int) error
	// SetModTime is Chtimes for a file of CreateNameless, which Link gives a name
	// unless that is taken: then it fails with fs.ErrExist.
	SetModTime(t time.Time) error
	Link(name string) error
	Truncate(size int64) error
	// Allocate reserves blocks for size bytes without changing the length.
	// Where that cannot be done it fails with errors.ErrUnsupported.
	Allocate(size int64) error
	// CloneFrom makes the file one of the same bytes as another one, with which it
	// shares its blocks until one of them is written to. Where that cannot be done it
	// fails with errors.ErrUnsupported and leaves the file empty.
	CloneFrom(other file) error
	// WriteOut has the kernel begin to write n bytes from the offset on to the
	// disk and does not wait for them. It makes nothing durable; only Sync
	// does. Where it cannot be done it does nothing.
	WriteOut(offset, n int64) error
	// SetAttribute sets an extended attribute. Where there are none it fails.
	SetAttribute(name, value string) error
	Attribute(name string) (string, error)
	Sync() error
}

// An osFilesystem is the directory root.
type osFilesystem struct {
	root, hidden anchor
	nameless     nameless
}

// An anchor is a folder that is open all the time: an os.Root by itself would
// open it for nearly every call.
type anchor struct {
	*os.Root
	dir *os.File
}

// anchorAt takes root over.
func anchorAt(root *os.Root) (anchor, error) {
	dir, err := root.Open(".")
	if err != nil {
		root.Close()
	}
	return anchor{root, dir}, err
}

func (a anchor) Close() error { return errors.Join(a.dir.Close(), a.Root.Close()) }

// openFilesystem takes root over. The hidden folder must exist.
func openFilesystem(root *os.Root) (*osFilesystem, error) {
	outer, err := anchorAt(root)
	if err != nil {
		return nil, err
	}
	inner, err := root.OpenRoot(hidden)
	if err != nil {
		outer.Close()
		return nil, err
	}
	in, err := anchorAt(inner)
	if err != nil {
		outer.Close()
		return nil, err
	}
	return &osFilesystem{root: outer, hidden: in}, nil
}

func (f *osFilesystem) Close() error { return errors.Join(f.hidden.Close(), f.root.Close()) }

// at returns the open folder from which to look name up, and name from there.
func (f *osFilesystem) at(name string) (anchor, string) {
	if base, ok := strings.CutPrefix(name, hidden+"/"); ok {
		return f.hidden, base
	}
	return f.root, name
}

func (f *osFilesystem) Lstat(name string) (fs.FileInfo, error) {
	at, name := f.at(name)
	return at.lstat(name)
}

// OpenFile adds O_NONBLOCK so that a FIFO under the name cannot block it. On
// files it has no effect (open(2)), except that package os believes it and
// spares four fcntl calls that try out its poller.
func (f *osFilesystem) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	at, name := f.at(name)
	opened, err := at.OpenFile(name, flag|syscall.O_NONBLOCK, perm)
	if err != nil {
		return nil, err
	}
	return osFile{opened, f}, nil
}

func (f *osFilesystem) Chmod(name string, mode fs.FileMode) error { return f.root.Chmod(name, mode) }

func (f *osFilesystem) Mkdir(name string, perm fs.FileMode) error { return f.root.Mkdir(name, perm) }

func (f *osFilesystem) Link(oldname, newname string) error { return f.root.Link(oldname, newname) }

func (f *osFilesystem) Rename(oldname, newname string) error { return f.root.Rename(oldname, newname) }

func (f *osFilesystem) Remove(name string) error {
	at, name := f.at(name)
	return at.Remove(name)
}

// SyncAll also tries whether the filesystem can still be written to. Once it
// could not write its journal, syncfs has nothing to do and may succeed though
// all that was not durable by then is lost (ext4 before Linux 6.13).
func (f *osFilesystem) SyncAll() error {
	return cmp.Or(syncAll(f.root.dir), f.probe())
}

type osFile struct {
	*os.File
	in *osFilesystem
}

func (f osFile) Allocate(size int64) error { return allocate(f.File, size) }

func (f osFile) CloneFrom(other file) error { return clone(f.File, other.(osFile).File) }

func (f osFile) WriteOut(offset, n int64) error { return writeOut(f.File, offset, n) }

func (f osFile) Links() (uint64, error) { return links(f.File) }

func (f osFile) SetAttribute(name, value string) error {
	return setAttribute(f.File, name, value)
}

func (f osFile) Attribute(name string) (string, error) { return attribute(f.File, name) }
