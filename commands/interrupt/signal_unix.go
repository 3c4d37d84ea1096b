//go:build unix

package commands

import (
	"os"
	"syscall"
)

// otherSignals would end a server without a word.
var otherSignals = []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2}

var (
	// stopSignals are those by which people and programs stop a command.
	stopSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	// streamSignals are all that would end a program that feeds a stream. Go
	// ignores some of them unless they are caught.
	streamSignals = append([]os.Signal{syscall.SIGQUIT, syscall.SIGALRM, syscall.SIGUSR1, syscall.SIGUSR2, mark}, stopSignals...)
)

// mark is a signal that the process sends to itself. Systems hand out those with
// a lower number first, and the ones that stop a process have lower numbers.
const mark = syscall.SIGWINCH

func sendMark() error { return syscall.Kill(syscall.Getpid(), mark) }
