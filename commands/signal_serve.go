package commands

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/interrupt"
	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/commands/terminal"
)

const (
	// hangupTime is how long after a SIGHUP the terminal may still seem to be
	// there: when a shell dies, the kernel sends the signal first.
	hangupTime  = time.Second
	hangupRetry = 50 * time.Millisecond
	// consoleTime is how long uploads may go on when a Windows console is closed:
	// Windows kills the process after 5 seconds.
	consoleTime = 4 * time.Second
)

// serverSignals are what the system tells a server while it runs.
//
//   - SIGINT and SIGTERM stop it, and end the process when they come again.
//   - SIGHUP stops it if its terminal is gone, and else has it read its files
//     again. If it was ignored at the start (nohup), it stays so.
//   - SIGPIPE is for writers to find out.
//   - SIGUSR1 and SIGUSR2 mean nothing, and do not end it either.
type serverSignals struct {
	stop     context.CancelCauseFunc // with an interruption
	done     <-chan struct{}
	others   chan os.Signal
	terminal terminal.TTY
	started  bool // on a terminal
}

// catchSignals returns a context that ends with an interruption when the server is
// to stop. The caller must call follow, once there is something to read again.
func catchSignals(ctx context.Context) (context.Context, *serverSignals) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &serverSignals{stop: cancel, done: ctx.Done(), others: make(chan os.Signal, 8), terminal: terminal.OpenTTY()}
	s.started = s.terminal.Attached()
	stops := make(chan os.Signal, 1)
	signal.Notify(stops, os.Interrupt, syscall.SIGTERM)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	caught := slices.Clone(otherSignals)
	if !signal.Ignored(syscall.SIGHUP) {
		caught = append(caught, syscall.SIGHUP)
	}
	if len(caught) > 0 { // none would stand for all
		signal.Notify(s.others, caught...)
	}
	go func() {
		select {
		case got := <-stops:
			cancel(interrupt.Error{Signal: got})
		case <-s.done:
		}
		signal.Reset(os.Interrupt, syscall.SIGTERM)
	}()
	return ctx, s
}

// follow does what the other signals ask for, until the server stops.
func (s *serverSignals) follow(files *reload.Watcher, log zerolog.Logger) {
	for {
		select {
		case got := <-s.others:
			switch {
			case got != syscall.SIGHUP:
				log.Info().Stringer("signal", got).Msg("this signal has no meaning here")
			case s.hungUp(0):
				s.stop(interrupt.Error{Signal: got})
			default:
				s.reload(files, log)
				if s.hungUp(hangupTime) {
					s.stop(interrupt.Error{Signal: got})
				}
			}
		case <-s.done:
			return
		}
	}
}

func (s *serverSignals) reload(files *reload.Watcher, log zerolog.Logger) {
	message := "hangup signal: the tokens and certificate were read again"
	if !files.Reload() {
		message = "hangup signal: there is nothing to read again, without --tokens and --cert"
	}
	log.Info().Msg(message)
}

// hungUp reports whether the server has lost the terminal on which it was started,
// at the latest after a time.
func (s *serverSignals) hungUp(within time.Duration) bool {
	if !s.started {
		return false
	}
	late := time.After(within)
	for s.terminal.Attached() {
		select {
		case <-late:
			return false
		case <-s.done:
			return false
		case <-time.After(hangupRetry):
		}
	}
	return true
}

// drainTime is how long uploads may go on when the server stops. On Windows SIGTERM
// means that the console is closed.
func drainTime(ctx context.Context, wanted time.Duration) time.Duration {
	if runtime.GOOS == "windows" && context.Cause(ctx) == (interrupt.Error{Signal: syscall.SIGTERM}) {
		return min(wanted, consoleTime)
	}
	return wanted
}

// why says for the log why the server stops.
func why(ctx context.Context) string {
	i, _ := errors.AsType[interrupt.Error](context.Cause(ctx))
	switch i.Signal {
	case syscall.SIGHUP:
		return "the terminal was closed"
	case syscall.SIGPIPE:
		return "nobody reads the log any more"
	case nil:
		return "it was told to"
	}
	return i.Signal.String()
}

// A logWriter is where the log of a server goes. If what reads it has ended, so
// does the server, but not in the middle of what it is doing.
type logWriter struct {
	io.Writer
	stop context.CancelCauseFunc
}

func (w logWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		w.stop(interrupt.Error{Signal: syscall.SIGPIPE})
		return len(p), nil
	}
	return n, err
}
