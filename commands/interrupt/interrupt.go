// Package interrupt ends what a client does when a signal comes, and then the process by
// the same signal, as shells expect.
package interrupt

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labnet/labnet/commands/problem"
)

// An Error is the signal that ended a context.
type Error struct{ Signal os.Signal }

func (e Error) Error() string { return "stopped by a signal: " + e.Signal.String() }

func (e Error) Describe() problem.Description { return problem.Description{Kind: "interrupted"} }

// ExitCode is what a shell says of a process that died of the signal.
func (e Error) ExitCode() int {
	number, _ := e.Signal.(syscall.Signal)
	return 128 + int(number)
}

const (
	// stopGrace is how long an action may take to end after a signal. It ends sooner,
	// unless what it waits for cannot be interrupted, such as a disk that stands still.
	stopGrace = time.Second
	// ProducerGrace is how long a command that must end may take after it was asked to.
	ProducerGrace = 5 * time.Second
)

// A Catcher ends a context by the first of the signals that are caught. Its methods do
// nothing if it is nil, as where a test runs a command.
type Catcher struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	watch   sync.Once
	signals chan os.Signal
	passed  chan struct{} // gets one when mark has passed

	producer atomic.Pointer[func()] // kills the command that runs, which must not outlive this process
}

// New returns a Catcher of a context within ctx. It catches nothing yet.
func New(ctx context.Context) *Catcher {
	c := &Catcher{signals: make(chan os.Signal, 8), passed: make(chan struct{}, 1)}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// Run runs an action within the context, and returns the signal that has ended it as an
// Error, or the action's own error. A second signal ends the process at once.
func (c *Catcher) Run(action func(context.Context) error, caught ...os.Signal) error {
	c.Catch(caught...)
	err := action(c.ctx)
	signal.Stop(c.signals)
	if why, ok := errors.AsType[Error](context.Cause(c.ctx)); ok {
		return why
	}
	c.cancel(nil)
	return err
}

// RunBriefly is Run for an action that has only a moment to end after a signal. After
// that the process dies of the signal, once leave has returned or taken too long.
func (c *Catcher) RunBriefly(action func(context.Context) error, leave func()) error {
	overdue := context.AfterFunc(c.ctx, func() {
		if why, ok := errors.AsType[Error](context.Cause(c.ctx)); ok {
			time.Sleep(stopGrace)
			if c.producer.Load() != nil {
				time.Sleep(ProducerGrace)
				c.endProducer()
			}
			left := make(chan struct{})
			go func() {
				defer close(left)
				leave()
			}()
			select {
			case <-left:
			case <-time.After(stopGrace / 10): // whoever reads the output does not
			}
			Die(why.Signal)
		}
	})
	err := c.Run(action)
	overdue()
	return err
}

// Catch has these signals end the context, except those that the process was
// started to ignore.
func (c *Catcher) Catch(caught ...os.Signal) {
	for _, s := range caught {
		if c != nil && (s == mark || !signal.Ignored(s)) {
			signal.Notify(c.signals, s)
			c.watch.Do(func() { go c.wait() })
		}
	}
}

func (c *Catcher) wait() {
	for {
		select {
		case s := <-c.signals:
			if s == mark {
				select {
				case c.passed <- struct{}{}:
				default: // the terminal was resized
				}
				continue
			}
			c.cancel(Error{s})
			c.second()
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// second ends the process at once when there is a second signal.
func (c *Catcher) second() {
	if c.producer.Load() == nil {
		signal.Reset()
	}
	for s := range c.signals {
		if s != mark {
			c.endProducer()
			Die(s)
		}
	}
}

// Produces notes that a command runs, and how to kill it, or with nil that none does any
// more.
func (c *Catcher) Produces(kill func()) {
	switch {
	case c == nil:
	case kill == nil:
		c.producer.Store(nil)
	default:
		c.producer.Store(&kill)
	}
}

func (c *Catcher) endProducer() {
	if kill := c.producer.Load(); kill != nil {
		(*kill)()
	}
}

// settle is called at the end of a stream, which may be that of a program that a
// signal has ended, and returns that signal as an Error if this process got
// it as well. The signals have been caught before. Whoever sends a signal to
// several processes, such as a terminal, a shell or a service manager, does so
// within the grace. What the system has for this process by then is waited for,
// however busy the machine is.
func (c *Catcher) settle(grace time.Duration) error {
	if c == nil {
		return nil
	}
	select {
	case <-time.After(grace):
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	select {
	case <-c.passed: // another one
	default:
	}
	if sendMark() == nil {
		select {
		case <-c.passed:
		case <-c.ctx.Done():
		case <-time.After(stopGrace):
		}
	}
	return context.Cause(c.ctx)
}

// statusControlC is what Windows says of a process that Ctrl-C ended
// (STATUS_CONTROL_C_EXIT): batch files stop after it.
const statusControlC = 0xC000013A - 1<<32

// Die ends the process by a signal. A shell stops a loop only if the program
// died of SIGINT: one that exits with 130 does not stop it. The first process of
// a container cannot die of a signal that it sends to itself (pid_namespaces(7)),
// and no Go program of a SIGPIPE that is not about a write.
func Die(s os.Signal) {
	if runtime.GOOS == "windows" {
		os.Exit(statusControlC)
	}
	signal.Reset(s)
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Pid != 1 && s != syscall.SIGPIPE && self.Signal(s) == nil {
		time.Sleep(time.Second) // it is on its way
	}
	os.Exit(Error{s}.ExitCode())
}
