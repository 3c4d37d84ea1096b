package storage

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const (
	// canSyncDirs: FlushFileBuffers knows files and volumes only. NTFS logs
	// names in order, but nothing here can wait for its log.
	canSyncDirs = false
	// syncAccess: FlushFileBuffers wants GENERIC_WRITE.
	syncAccess = os.O_RDWR
)

// noSpace are the errors of a full medium, a used-up quota and a file that is
// larger than the filesystem allows.
var noSpace = []error{
	windows.ERROR_DISK_FULL,
	windows.ERROR_HANDLE_DISK_FULL,
	windows.ERROR_DISK_QUOTA_EXCEEDED,
	windows.ERROR_FILE_TOO_LARGE,
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
