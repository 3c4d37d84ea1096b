package commands

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
)

// An interruption is the signal that ended a context.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string { return "stopped by " + i.signal.String() }

// finishing is for an action that has something to finish after a SIGINT or
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

// dieOf ends the process by a signal. A shell stops a loop only if the program
// died of SIGINT: one that exits with 130 does not stop it.
func dieOf(signal os.Signal) {
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(signal) == nil {
		time.Sleep(time.Second) // it is on its way
	}
	os.Exit(130) // where a process cannot signal itself: Windows
}
