package commands

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// An interruption is the signal that ended a context.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string { return "stopped by " + i.signal.String() }

// SignalContext returns a context that ends at the first SIGINT or SIGTERM. A
// second one ends the process at once.
func SignalContext() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Reset()
		cancel(interruption{s})
	}()
	return ctx
}

// DieOfSignal ends the process by the signal that ended ctx, if one did. A
// shell stops a loop only if the program died of SIGINT: one that exits with
// 130 does not stop it.
func DieOfSignal(ctx context.Context) {
	why, ok := errors.AsType[interruption](context.Cause(ctx))
	if !ok {
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(why.signal) == nil {
		time.Sleep(time.Second) // it is on its way
	}
	os.Exit(130) // where a process cannot signal itself: Windows
}
