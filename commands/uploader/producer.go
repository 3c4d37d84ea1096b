package uploader

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/interrupt"
	"github.com/labnet/labnet/commands/problem"
)

// producerSilence is how long a process that a command left behind may hold its
// output without writing.
const producerSilence = 5 * time.Second

// errHeld means that the end of a command's output is not known.
var errHeld = problem.New("the command ended, but a process that it left behind holds its output open; nothing was kept", "command-failed", "redirect the output of what runs in the background")

// A stream is a file that can be read once. It may be what a command writes.
type stream struct {
	*interrupt.Stream
	producer *producer // the command that is run for it, or nil
	begun    bool      // to be sent: there is no other try
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	if s.producer != nil && err == io.EOF {
		s.producer.complete.Store(true)
	}
	return n, err
}

// Close ends the producer if there is one. Other streams are their owners' to close.
func (s *stream) Close() error {
	if s.producer != nil {
		return s.producer.Close()
	}
	return nil
}

// A producer is the command that writes a stream. Its output ends in io.EOF only if
// it has exited with 0. It is started by the first Read. Whoever reads it calls
// Close, which leaves nothing of it running unless that end was read.
type producer struct {
	argv       []string
	interrupts *interrupt.Catcher

	mu     sync.Mutex // held while it starts, or is closed
	closed bool

	// Set by start.
	cmd    *exec.Cmd
	tree   processTree
	out    *os.File
	exited chan struct{} // closed once err is set
	err    error         // why it did not succeed

	complete atomic.Bool // all of its output was read, and it succeeded
	ended    bool        // by Close
}

// fromCommand is the stream that a command writes.
func fromCommand(argv []string, interrupts *interrupt.Catcher) (*stream, error) {
	if _, err := exec.LookPath(argv[0]); err != nil {
		return nil, notStarted(argv[0], err)
	}
	p := &producer{argv: argv, interrupts: interrupts}
	return &stream{Stream: interrupts.Stream(p), producer: p}, nil
}

// notStarted says why a command cannot be started.
func notStarted(name string, err error) error {
	if why, ok := errors.AsType[*exec.Error](err); ok {
		err = why.Err
	}
	return problem.UsageHint(problem.Item("--from-command: "+name, err), "give the path of a program, or its name if it is in PATH; no shell reads it")
}

func (p *producer) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	cmd.Stdout, cmd.Stderr = in, os.Stderr
	p.tree.prepare(cmd)
	if err := cmd.Start(); err != nil {
		out.Close()
		return notStarted(p.argv[0], err)
	}
	p.tree.begin(cmd)
	p.cmd, p.out, p.exited = cmd, out, make(chan struct{})
	p.interrupts.Produces(p.kill)
	go func() {
		if p.err = cmd.Wait(); p.err != nil {
			p.err = &commandError{p.argv[0], cmd.ProcessState, p.err}
		}
		close(p.exited)
		// Others may hold the pipe open.
		if p.err != nil {
			p.out.SetReadDeadline(time.Now())
		} else {
			p.out.SetReadDeadline(time.Now().Add(producerSilence))
		}
	}()
	return nil
}

func (p *producer) Read(b []byte) (int, error) {
	if p.cmd == nil {
		if err := p.start(); err != nil {
			return 0, err
		}
	}
	select {
	case <-p.exited:
		if p.err != nil {
			return 0, p.err
		}
		p.out.SetReadDeadline(time.Now().Add(producerSilence))
	default:
	}
	n, err := p.out.Read(b)
	switch {
	case err == io.EOF:
		<-p.exited // or Close ends it
		if p.err != nil {
			err = p.err
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		if err = errHeld; p.err != nil {
			err = p.err
		}
	}
	return n, err
}

// Close ends the command, unless its output was complete.
func (p *producer) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.cmd == nil {
		return nil
	}
	defer p.interrupts.Produces(nil)
	if p.complete.Load() {
		return p.out.Close()
	}
	select {
	case <-p.exited:
	default:
		p.ended = true
	}
	p.tree.end(p.exited, func() { p.out.Close() })
	return nil
}

// kill ends the command without asking.
func (p *producer) kill() { p.tree.kill() }

// A commandError is a command that did not succeed.
type commandError struct {
	name  string
	state *os.ProcessState // nil if that is not known
	err   error
}

func (e *commandError) Error() string {
	how := problem.Reason(e.err)
	if e.state != nil {
		how = fmt.Sprintf("exited with %d", e.state.ExitCode())
		if status, ok := e.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			how = fmt.Sprintf("was ended by a signal (%v)", status.Signal())
		}
	}
	return escape.Name(e.name) + " " + how + "; nothing was kept"
}

func (e *commandError) Describe() problem.Description {
	return problem.Description{Kind: "command-failed"}
}

// A cutShort command was ended because its output could not be sent.
type cutShortError struct {
	name string
	err  error
}

func (e *cutShortError) Error() string {
	return problem.Of(e.err).Message + "; " + escape.Name(e.name) + " was ended"
}
func (e *cutShortError) Unwrap() error { return e.err }

func (e *cutShortError) Describe() problem.Description {
	d := problem.Of(e.err)
	d.Message = e.Error()
	return d
}
