package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

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
