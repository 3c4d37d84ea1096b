package storage

import (
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// A filesystem is every call by which a Dir keeps a file, so that tests can
// watch the calls and let them fail. Names are relative to the directory and
// slash-separated. None of the calls follows a symlink out of the directory.
type filesystem interface {
	Lstat(name string) (fs.FileInfo, error)
	OpenFile(name string, flag int, perm fs.FileMode) (file, error)
	Chtimes(name string, atime, mtime time.Time) error
	Mkdir(name string, perm fs.FileMode) error
	Link(oldname, newname string) error
	Rename(oldname, newname string) error
	Remove(name string) error
}

// A file is an open file or directory of a filesystem.
type file interface {
	io.ReadWriteCloser
	Stat() (fs.FileInfo, error)
	// Links returns how many names the file has.
	Links() (uint64, error)
	Chmod(mode fs.FileMode) error
	Truncate(size int64) error
	// Allocate reserves blocks for size bytes without changing the length.
	// Where that cannot be done it does nothing.
	Allocate(size int64) error
	// SetAttribute sets an extended attribute. Where there are none it fails.
	SetAttribute(name, value string) error
	Sync() error
}

type osFilesystem struct{ *os.Root }

// OpenFile adds O_NONBLOCK so that a FIFO under the name cannot block it. On
// files it has no effect (open(2)), except that package os believes it and
// spares four fcntl calls that try out its poller.
func (f osFilesystem) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	opened, err := f.Root.OpenFile(name, flag|syscall.O_NONBLOCK, perm)
	if err != nil {
		return nil, err
	}
	return osFile{opened}, nil
}

type osFile struct{ *os.File }

func (f osFile) Allocate(size int64) error { return allocate(f.File, size) }

func (f osFile) Links() (uint64, error) { return links(f.File) }

func (f osFile) SetAttribute(name, value string) error {
	return setAttribute(f.File, name, value)
}
