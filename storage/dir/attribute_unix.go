//go:build linux || darwin || freebsd || netbsd

package storage

import (
	"os"

	"golang.org/x/sys/unix"
)

func setAttribute(f *os.File, name, value string) error {
	return os.NewSyscallError("fsetxattr", unix.Fsetxattr(int(f.Fd()), name, []byte(value), 0))
}
