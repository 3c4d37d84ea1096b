//go:build unix

package commands

import (
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A terminalEditor is the editor where the terminal itself can only erase.
type terminalEditor struct {
	con      *console
	fd       int
	line     *term.Terminal
	columns  func() int
	complete completer
	signals  chan os.Signal
	resumed  chan struct{} // holds one if the process goes on in the foreground

	mu   sync.Mutex
	kept *unix.Termios // how the terminal was, if it is in our mode
}

// newEditor returns an editor, or nil if the console is not on a terminal that
// moves its cursor when told.
func newEditor(c *console, complete completer) editor {
	if !c.interactive() {
		return nil
	}
	columns := lineTerminal(c.err)
	if columns == nil {
		return nil
	}
	e := &terminalEditor{
		con:      c,
		fd:       int(c.in.Fd()),
		columns:  columns,
		complete: complete,
		signals:  make(chan os.Signal, 8),
		resumed:  make(chan struct{}, 1),
	}
	e.line = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys{c.in}, c.err}, "")
	e.line.AutoCompleteCallback = e.key
	e.line.History = history{e.line.History}
	return e
}

func (e *terminalEditor) start() <-chan os.Signal {
	signal.Notify(e.signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGCONT, syscall.SIGWINCH)
	e.resize()
	e.enter()
	return e.signals
}

func (e *terminalEditor) stop() {
	e.leave()
	signal.Stop(e.signals)
}

func (e *terminalEditor) read(prompt string) entered {
	defer e.leave() // if it panics
	e.line.SetPrompt(prompt)
	line, err := e.line.ReadLine()
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
		e.line.Write(nil) // shows the line again
		select {
		case e.resumed <- struct{}{}:
		default:
		}
	case syscall.SIGWINCH:
		e.resize()
	case syscall.SIGINT:
		io.WriteString(e.con.err, "^C") // as the terminal does
		return interruption{s}
	default:
		return interruption{s}
	}
	return nil
}

func (e *terminalEditor) resize() {
	if n := e.columns(); n > 0 {
		e.line.SetSize(n, 0)
	}
}

// enter makes the terminal hand over each key and echo none. Signals still come
// from it, to the whole process group. But the one that stops it is left to key:
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

// leave makes the terminal as it was.
func (e *terminalEditor) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.kept != nil && e.columns() > 0 { // in the background, it is another's by now
		unix.IoctlSetTermios(e.fd, setTermios, e.kept)
	}
	e.kept = nil
}

// suspends reports whether a key stops the process, where a shell can let it go
// on: none can in the group of the session's leader.
func (e *terminalEditor) suspends(key rune) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	session, err := unix.Getsid(0)
	return e.kept != nil && key == rune(e.kept.Cc[unix.VSUSP]) && err == nil && session != unix.Getpgrp()
}

// suspend stops the process, and all of its group as the terminal would, until
// it is in the foreground again. Before, it must not touch the terminal: it would
// be stopped for that too, also when it is to die.
func (e *terminalEditor) suspend() {
	io.WriteString(e.con.err, "^Z")
	e.leave()
	select {
	case <-e.resumed: // after a stop by another
	default:
	}
	unix.Kill(0, unix.SIGTSTP)
	<-e.resumed
}

// key does what e.line does not do about a key.
func (e *terminalEditor) key(line string, at int, key rune) (string, int, bool) {
	insert := "\t" // as it is, if it was pasted
	switch {
	case e.suspends(key):
		e.suspend()
		fallthrough
	case key != '\t':
		return "", 0, false
	case e.complete != nil:
		var choices string
		if insert, choices = e.complete(line[:at]); choices != "" {
			io.WriteString(e.line, choices)
		}
	}
	return line[:at] + insert + line[at:], at + len(insert), true
}

// keys reads keys one by one, so that those after the last line are left to
// whoever reads next.
type keys struct{ io.Reader }

func (k keys) Read(p []byte) (int, error) {
	n, err := k.Reader.Read(p[:1])
	if n == 1 && p[0] == 0 {
		p[0] = 'D' & 0x1f // what Linux makes of a Ctrl-D typed before the prompt
	}
	return n, err
}

// A history is one as shells have: of lines that are not empty, and differ.
type history struct{ term.History }

func (h history) Add(line string) {
	if line != "" && (h.Len() == 0 || h.At(0) != line) {
		h.History.Add(line)
	}
}
