//go:build unix

package terminal

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// lineTerminal returns how to ask how many columns w has: none while the
// process is in the background. It returns nil if w is no terminal on which a
// line can be drawn again.
func lineTerminal(w io.Writer) (columns func() int) {
	f, ok := w.(*os.File)
	if term := os.Getenv("TERM"); !ok || term == "" || term == "dumb" {
		return nil
	}
	fd := int(f.Fd())
	columns = func() int {
		if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil && group != unix.Getpgrp() {
			return 0
		}
		size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err != nil {
			return 0
		}
		if size.Col == 0 { // it does not know
			return 80
		}
		return int(size.Col)
	}
	if _, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err != nil {
		return nil
	}
	return columns
}
