//go:build unix

package commands

import (
	"os"
	"syscall"
)

// otherSignals would end a server without a word.
var otherSignals = []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2}
