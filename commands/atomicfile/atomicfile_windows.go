package atomicfile

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// waitLock locks a file once nobody else does, until it is closed.
func waitLock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped))
	return os.NewSyscallError("LockFileEx", err)
}

// GiveTo does nothing: what is made in a folder belongs to whom its access list says.
func GiveTo(*os.File, fs.FileInfo) error { return nil }

// syncFolder does nothing: Windows has no way.
func syncFolder(string) error { return nil }
