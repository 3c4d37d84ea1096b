package commands

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

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/problem"
)

// An interruption is the signal that ended a context.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string { return "stopped by a signal: " + i.signal.String() }

func (i interruption) Describe() problem.Description { return problem.Description{Kind: "interrupted"} }

// exit is what a shell says of a process that died of the signal.
func (i interruption) exit() int {
	number, _ := i.signal.(syscall.Signal)
	return 128 + int(number)
}

// stopGrace is how long an action may take to end after a signal. It ends sooner,
// unless what it waits for cannot be interrupted, such as a disk that stands still.
const stopGrace = time.Second

// finishing is for a client's action that has something to finish after a SIGINT or
// SIGTERM: its context ends then, and the process once it has returned. A second
// signal ends the process at once.
func finishing(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		return newInterrupts(c.Context).run(c, action, os.Interrupt, syscall.SIGTERM)
	}
}

// stoppable is for an action of a client: a signal ends its context, once con
// catches signals, and it has a moment to tell how far it came. Before, a signal
// ends the process at once: to the server it makes no difference, and to wait for
// signals costs a client a fifteenth of all the time that it needs for one text
// (BenchmarkStart).
func stoppable(con *console, action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		interrupts := newInterrupts(c.Context)
		con.interrupts = interrupts
		overdue := context.AfterFunc(interrupts.ctx, func() {
			if why, ok := errors.AsType[interruption](context.Cause(interrupts.ctx)); ok {
				time.Sleep(stopGrace)
				if interrupts.producer.Load() != nil {
					time.Sleep(producerGrace)
					interrupts.endProducer()
				}
				erased := make(chan struct{})
				go func() {
					defer close(erased)
					con.erase(true)
				}()
				select {
				case <-erased:
				case <-time.After(stopGrace / 10): // whoever reads the output does not
				}
				dieOf(why.signal)
			}
		})
		err := interrupts.run(c, action)
		overdue()
		return err
	}
}

// interrupts end a context by the first of the signals that are caught.
type interrupts struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	watch   sync.Once
	signals chan os.Signal
	passed  chan struct{} // gets one when mark has passed

	producer atomic.Pointer[producer] // that runs, and must not outlive this process
}

func newInterrupts(ctx context.Context) *interrupts {
	i := &interrupts{signals: make(chan os.Signal, 8), passed: make(chan struct{}, 1)}
	i.ctx, i.cancel = context.WithCancelCause(ctx)
	return i
}

// run runs an action within the context, and returns the interruption that has
// ended it, or its own error.
func (i *interrupts) run(c *cli.Context, action cli.ActionFunc, caught ...os.Signal) error {
	i.catch(caught...)
	c.Context = i.ctx
	err := action(c)
	signal.Stop(i.signals)
	if why, ok := errors.AsType[interruption](context.Cause(i.ctx)); ok {
		return why
	}
	i.cancel(nil)
	return err
}

// catch has these signals end the context, except those that the process was
// started to ignore. It does nothing if i is nil, as where a test runs a command.
func (i *interrupts) catch(caught ...os.Signal) {
	for _, s := range caught {
		if i != nil && (s == mark || !signal.Ignored(s)) {
			signal.Notify(i.signals, s)
			i.watch.Do(func() { go i.wait() })
		}
	}
}

func (i *interrupts) wait() {
	for {
		select {
		case s := <-i.signals:
			if s == mark {
				select {
				case i.passed <- struct{}{}:
				default: // the terminal was resized
				}
				continue
			}
			i.cancel(interruption{s})
			i.second()
			return
		case <-i.ctx.Done():
			return
		}
	}
}

// second ends the process at once when there is a second signal.
func (i *interrupts) second() {
	if i.producer.Load() == nil {
		signal.Reset()
	}
	for s := range i.signals {
		if s != mark {
			i.endProducer()
			dieOf(s)
		}
	}
}

// runs notes that a producer runs, or with nil that none does any more.
func (i *interrupts) runs(p *producer) {
	if i != nil {
		i.producer.Store(p)
	}
}

func (i *interrupts) endProducer() {
	if p := i.producer.Load(); p != nil {
		p.kill()
	}
}

// settle is called at the end of a stream, which may be that of a program that a
// signal has ended, and returns the interruption if that signal is one to this
// process as well. The signals have been caught before. Whoever sends a signal to
// several processes, such as a terminal, a shell or a service manager, does so
// within the grace. What the system has for this process by then is waited for,
// however busy the machine is.
func (i *interrupts) settle(grace time.Duration) error {
	if i == nil {
		return nil
	}
	select {
	case <-time.After(grace):
	case <-i.ctx.Done():
		return context.Cause(i.ctx)
	}
	select {
	case <-i.passed: // another one
	default:
	}
	if sendMark() == nil {
		select {
		case <-i.passed:
		case <-i.ctx.Done():
		case <-time.After(stopGrace):
		}
	}
	return context.Cause(i.ctx)
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
