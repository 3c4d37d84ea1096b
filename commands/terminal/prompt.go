package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/labnet/labnet/commands/interrupt"
)

// A LineReader reads standard input line by line, and asks for each line if a
// person types them.
type LineReader struct {
	con    *Console
	editor editor // nil if nobody types, or the system's own must do
	secret bool   // nothing is shown, between lines either: several may be pasted at once
	ask    chan string
	line   chan entered
}

// An entered is a line, or why there is none.
type entered struct {
	line string
	err  error
}

// An editor lets a person edit a line and recall former ones on a terminal,
// which is in a mode of its own between start and stop.
type editor interface {
	start() <-chan os.Signal    // begins, and tells of signals
	handle(os.Signal) error     // what to do about one of them
	read(prompt string) entered // may run beside the others
	stop()                      // leaves the terminal as it was
}

// Lines begins to read standard input by lines, without their ends. Of a line
// over maxLine bytes the rest is dropped. Where a person types, Tab completes by
// complete unless it is nil. The caller must stop it.
func (c *Console) Lines(complete Completer) *LineReader {
	return c.readLines(newEditor(c, complete, false), false)
}

// SecretLines is Lines for what nobody else is to see: it is neither shown nor recalled.
func (c *Console) SecretLines() *LineReader { return c.readLines(newEditor(c, nil, true), true) }

func (c *Console) readLines(e editor, secret bool) *LineReader {
	l := &LineReader{c, e, secret, make(chan string), make(chan entered, 1)}
	read := l.plainly()
	if l.editor != nil {
		read = l.editor.read
	}
	go func() {
		for prompt := range l.ask {
			l.line <- read(prompt)
		}
	}()
	return l
}

// plainly returns how to read lines as they come, from a file, a pipe, or a
// terminal that edits by itself.
func (l *LineReader) plainly() func(string) entered {
	var in io.Reader = l.con.In
	if !l.con.Interactive() {
		in = l.con.Interrupts.TextStream(l.con.In)
	}
	r := bufio.NewReader(in)
	return func(prompt string) entered {
		l.con.Prompt(prompt)
		line, err := ReadLine(r)
		return entered{line, err}
	}
}

// Next asks for the next line. Its error is io.EOF at the end of the input, an
// interruption if a signal came, and the cause if ctx ended. After an error there
// is no next.
func (l *LineReader) Next(ctx context.Context, prompt string) (string, error) {
	var signals <-chan os.Signal
	if l.editor != nil {
		signals = l.editor.start()
		if !l.secret {
			defer l.editor.stop()
		}
	}
	l.ask <- prompt
	for {
		select {
		case t := <-l.line:
			if ctx.Err() != nil { // which may have cut the line off
				return "", context.Cause(ctx)
			}
			if t.err != nil {
				l.con.Prompt("\n") // the terminal shows nothing for Ctrl-D
			}
			return t.line, t.err
		case s := <-signals:
			if err := l.editor.handle(s); err != nil {
				return "", err
			}
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// Stop ends the reading. After an interruption a read is left behind: none of a
// terminal can be interrupted.
func (l *LineReader) Stop() {
	if l.editor != nil && l.secret {
		l.editor.stop()
	}
	close(l.ask)
}

// End sums up after the last line: what says which things were not done. Except for
// an interruption, it makes no difference why there are no more lines.
func (t *Tally) End(err error, what string) error {
	if why, ok := errors.AsType[interrupt.Error](err); ok {
		return why
	}
	return t.Err(what)
}

// Prompt shows text to a person. Nobody is asked who does not type.
func (c *Console) Prompt(text string) {
	if c.Interactive() {
		fmt.Fprint(c.Err, text)
	}
}

const MaxLine = 64 << 10

func ReadLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, partial, err := r.ReadLine()
		if err != nil {
			return "", err
		}
		line = append(line, part[:min(len(part), MaxLine-len(line))]...)
		if !partial {
			return string(line), nil
		}
	}
}
