//go:build unix

package terminal

import (
	"bufio"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/labnet/labnet/commands/interrupt"
)

// A terminalEditor is the editor where the terminal itself can only erase.
type terminalEditor struct {
	con     *Console
	fd      int
	line    *lineEditor
	columns func() int
	signals chan os.Signal
	resumed chan struct{} // holds one if the process goes on in the foreground

	mu   sync.Mutex
	kept *unix.Termios // how the terminal was, if it is in our mode
}

// newEditor returns an editor, which shows nothing of what is typed if that is to be
// hidden, or nil if the terminal's own must do: where nobody types, and where the cursor
// cannot be moved.
func newEditor(c *Console, complete Completer, hidden bool) editor {
	if !c.Interactive() {
		return nil
	}
	columns := lineTerminal(c.Err)
	if columns == nil && hidden {
		return newSecretEditor(c)
	}
	if columns == nil {
		return nil
	}
	e := &terminalEditor{
		con:     c,
		fd:      int(c.In.Fd()),
		columns: columns,
		signals: make(chan os.Signal, 8),
		resumed: make(chan struct{}, 1),
	}
	e.line = &lineEditor{
		in:       bufio.NewReader(keys{c.In}),
		out:      c.Err,
		size:     e.size,
		complete: complete,
		hidden:   hidden,
		suspend:  e.suspend,
	}
	return e
}

// size returns that of the terminal: no columns while it is another process's.
func (e *terminalEditor) size() (columns, rows int) {
	size, err := unix.IoctlGetWinsize(e.fd, unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 { // it does not know
		return e.columns(), 24
	}
	return e.columns(), int(size.Row)
}

func (e *terminalEditor) start() <-chan os.Signal {
	signal.Notify(e.signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGCONT, syscall.SIGWINCH)
	e.enter()
	return e.signals
}

func (e *terminalEditor) stop() {
	e.leave()
	signal.Stop(e.signals)
}

func (e *terminalEditor) read(prompt string) entered {
	if !e.line.hidden {
		defer e.leave() // if it panics
	}
	line, err := e.line.read(prompt)
	return entered{line, err}
}

func (e *terminalEditor) handle(s os.Signal) error {
	switch s {
	case syscall.SIGCONT:
		if e.columns() == 0 { // in the background
			unix.Kill(unix.Getpid(), unix.SIGTTIN) // as if it read there
			return nil
		}
		e.enter()
		e.line.redraw()
		select {
		case e.resumed <- struct{}{}:
		default:
		}
	case syscall.SIGWINCH:
		e.line.change(e.line.draw)
	case syscall.SIGINT:
		e.line.leave("^C") // as the terminal does
		return interrupt.Error{Signal: s}
	default:
		return interrupt.Error{Signal: s}
	}
	return nil
}

// enter makes the terminal hand over each key and echo none. Signals still come
// from it, to the whole process group. But the one that stops it is left to suspend:
// Go does not give that back to the system once it has been caught.
func (e *terminalEditor) enter() {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, err := unix.IoctlGetTermios(e.fd, getTermios)
	if err != nil {
		return
	}
	if e.kept == nil {
		kept := *t
		e.kept = &kept
	}
	t.Lflag &^= unix.ICANON | unix.ECHO | unix.IEXTEN
	t.Cc[unix.VMIN], t.Cc[unix.VTIME], t.Cc[unix.VSUSP] = 1, 0, noKey
	unix.IoctlSetTermios(e.fd, setTermios, t)
}

// leave makes the terminal as it was. What was pasted behind a secret may be one, too: the
// shell must not have it.
func (e *terminalEditor) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.kept != nil && e.columns() > 0 { // in the background, it is another's by now
		set := uint(setTermios)
		if e.line.hidden {
			set = flushTermios
		}
		unix.IoctlSetTermios(e.fd, set, e.kept)
	}
	e.kept = nil
}

// suspends reports whether a key stops the process, where a shell can let it go
// on: none can in the group of the session's leader.
func (e *terminalEditor) suspends(key byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	session, err := unix.Getsid(0)
	return e.kept != nil && key == byte(e.kept.Cc[unix.VSUSP]) && err == nil && session != unix.Getpgrp()
}

// suspend stops the process if a key is for that, and all of its group as the
// terminal would, until it is in the foreground again. Before, it must not touch
// the terminal: it would be stopped for that too, also when it is to die.
func (e *terminalEditor) suspend(key byte) bool {
	if !e.suspends(key) {
		return false
	}
	e.line.leave("^Z")
	e.leave()
	select {
	case <-e.resumed: // after a stop by another
	default:
	}
	unix.Kill(0, unix.SIGTSTP)
	<-e.resumed
	return true
}

// secretSignals are those that a secretEditor handles.
var secretSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGCONT}

func isContinue(s os.Signal) bool { return s == syscall.SIGCONT }

// hideTyping makes a terminal show nothing of what is typed, until restore is called, which
// also forgets what was typed and not read.
func hideTyping(f *os.File) (restore func()) {
	fd := int(f.Fd())
	t, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return func() {}
	}
	kept := *t
	t.Lflag &^= unix.ECHO
	unix.IoctlSetTermios(fd, setTermios, t)
	return func() { unix.IoctlSetTermios(fd, flushTermios, &kept) }
}
