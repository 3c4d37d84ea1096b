//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package terminal

import "golang.org/x/sys/unix"

// How to ask for a terminal's mode, to set it, and to set it and forget what was typed; and
// what stands in it for no key (_POSIX_VDISABLE).
const (
	getTermios   = unix.TIOCGETA
	setTermios   = unix.TIOCSETA
	flushTermios = unix.TIOCSETAF
	noKey        = 0xff
)
