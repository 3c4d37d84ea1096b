package terminal

import "golang.org/x/sys/unix"

// How to ask for a terminal's mode and to set it, and what stands in it for no
// key (_POSIX_VDISABLE).
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
	noKey      = 0
)
