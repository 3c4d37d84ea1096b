package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

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
