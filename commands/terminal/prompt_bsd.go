//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package terminal

import "golang.org/x/sys/unix"

// How to ask for a terminal's mode and to set it, and what stands in it for no
// key (_POSIX_VDISABLE).
const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
	noKey      = 0xff
)
