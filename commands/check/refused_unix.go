//go:build unix

package check

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// refused reports whether the other side's system has refused what was sent, which a
// read that has seen the end does not say.
func refused(nc net.Conn) (yes bool) {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		errno, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		yes = err == nil && errno != 0
	})
	return yes
}
