//go:build linux || darwin || freebsd

package dir

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxAttribute is more than a note has.
const maxAttribute = 1 << 10

func setAttribute(f *os.File, name, value string) error {
	return os.NewSyscallError("fsetxattr", unix.Fsetxattr(int(f.Fd()), name, []byte(value), 0))
}

func attribute(f *os.File, name string) (string, error) {
	b := make([]byte, maxAttribute)
	n, err := unix.Fgetxattr(int(f.Fd()), name, b)
	if err != nil {
		return "", os.NewSyscallError("fgetxattr", err)
	}
	return string(b[:n]), nil
}

// attributes lists the names of those of a file that begin with a prefix.
func attributes(f *os.File, prefix string) (names []string, err error) {
	n, err := unix.Flistxattr(int(f.Fd()), nil)
	if n == 0 || err != nil {
		return nil, os.NewSyscallError("flistxattr", err)
	}
	b := make([]byte, n+maxAttribute) // there may be more by now
	if n, err = unix.Flistxattr(int(f.Fd()), b); err != nil {
		return nil, os.NewSyscallError("flistxattr", err)
	}
	for name := range strings.SplitSeq(string(b[:n]), "\x00") {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names, nil
}
