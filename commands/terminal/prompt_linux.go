package terminal

import "golang.org/x/sys/unix"

// How to ask for a terminal's mode, to set it, and to set it and forget what was typed; and
// what stands in it for no key (_POSIX_VDISABLE).
const (
	getTermios   = unix.TCGETS
	setTermios   = unix.TCSETS
	flushTermios = unix.TCSETSF
	noKey        = 0
)
