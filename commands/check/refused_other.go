//go:build !unix

package check

import "net"

// refused is not known.
func refused(net.Conn) bool { return false }
