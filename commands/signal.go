package commands

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
)

// An interruption is the signal that ended a context.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string { return "stopped by a signal: " + i.signal.String() }

func (i interruption) describe() description { return description{kind: "interrupted"} }

// exit is what a shell says of a process that died of the signal.
func (i interruption) exit() int {
	number, _ := i.signal.(syscall.Signal)
	return 128 + int(number)
}

// finishing is for a client's action that has something to finish after a SIGINT or
// SIGTERM: its context ends then, and the process once it has returned. A second
// signal ends the process at once. So does the first in other commands: to the
// server it makes no difference whether a client closes its connection or dies,
// and to wait for signals costs a client a fifteenth of all the time that it
// needs for one text (BenchmarkStart).
func finishing(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		ctx, cancel := context.WithCancelCause(c.Context)
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		go func() {
			select {
			case s := <-signals:
				signal.Reset()
				cancel(interruption{s})
			case <-ctx.Done():
				signal.Stop(signals)
			}
		}()
		c.Context = ctx
		err := action(c)
		cancel(nil)
		if why, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
			return why
		}
		return err
	}
}

// statusControlC is what Windows says of a process that Ctrl-C ended
// (STATUS_CONTROL_C_EXIT): batch files stop after it.
const statusControlC = 0xC000013A - 1<<32

// dieOf ends the process by a signal. A shell stops a loop only if the program
// died of SIGINT: one that exits with 130 does not stop it. The first process of
// a container cannot die of a signal that it sends to itself (pid_namespaces(7)),
// and no Go program of a SIGPIPE that is not about a write.
func dieOf(s os.Signal) {
	if runtime.GOOS == "windows" {
		os.Exit(statusControlC)
	}
	signal.Reset(s)
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Pid != 1 && s != syscall.SIGPIPE && self.Signal(s) == nil {
		time.Sleep(time.Second) // it is on its way
	}
	os.Exit(interruption{s}.exit())
}
