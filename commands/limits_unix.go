//go:build unix

package commands

import (
	"math"
	"syscall"
)

// openFiles returns how many files this process may have open. Package os has
// raised that as far as the system allows.
func openFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 256 // what every system allows
	}
	return int(min(uint64(limit.Cur), math.MaxInt32))
}
