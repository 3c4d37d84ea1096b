//go:build unix

package interrupt

import (
	"os"
	"syscall"
)

var (
	// Stops are those by which people and programs stop a command.
	Stops = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	// streamStops are all that would end a program that feeds a stream. Go
	// ignores some of them unless they are caught.
	streamStops = append([]os.Signal{syscall.SIGQUIT, syscall.SIGALRM, syscall.SIGUSR1, syscall.SIGUSR2, mark}, Stops...)
)

// mark is a signal that the process sends to itself. Systems hand out those with
// a lower number first, and the ones that stop a process have lower numbers.
const mark = syscall.SIGWINCH

func sendMark() error { return syscall.Kill(syscall.Getpid(), mark) }
