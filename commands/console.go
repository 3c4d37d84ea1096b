package commands

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
)

// A console is where a command talks to its user: results on standard output,
// everything else on standard error.
type console struct {
	in    *os.File
	out   io.Writer
	err   io.Writer
	json  bool // results are objects
	quiet bool // no results for people

	mu     sync.Mutex
	status statusLine
	meter  meter
}

func newConsole() *console {
	return &console{in: os.Stdin, out: os.Stdout, err: os.Stderr}
}

// result prints that a thing was done: a line for people, an object for
// programs.
func (c *console) result(object any, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.json:
		line, err := json.Marshal(object)
		if err != nil {
			panic(err) // the objects are this package's own
		}
		c.out.Write(append(escapeInvisible(line), '\n'))
	case !c.quiet:
		c.write(c.out, fmt.Sprintf(format+"\n", args...))
	}
}

// note tells the user something that is neither result nor error.
func (c *console) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(c.err, fmt.Sprintf("labnet: "+format+"\n", args...))
}

// fail prints an error and, if there is one, a hint, and returns the exit code.
func (c *console) fail(err error) int {
	d := describe(err)
	if d.message != "" {
		c.note("error: %s", d.message)
	}
	if d.hint != "" {
		c.note("hint: %s", d.hint)
	}
	return d.code
}

// interactive reports whether a person types the input.
func (c *console) interactive() bool { return isatty.IsTerminal(c.in.Fd()) }

// prompt asks a person for a line. Nobody is asked who does not type.
func (c *console) prompt(text string) {
	if c.interactive() {
		fmt.Fprint(c.err, text)
	}
}

// A lineReader reads standard input line by line.
type lineReader struct {
	con  *console
	more chan struct{}
	line chan string
}

// lines begins to read standard input by lines, without their ends. Of a line
// over maxLine bytes the rest is dropped. The caller must stop it.
func (c *console) lines() *lineReader {
	l := &lineReader{c, make(chan struct{}), make(chan string, 1)}
	go func() {
		defer close(l.line)
		r := bufio.NewReader(c.in)
		for range l.more {
			line, err := readLine(r)
			if err != nil {
				return
			}
			l.line <- line
		}
	}()
	return l
}

// next shows a prompt and returns the next line, or false when the input or
// ctx ends.
func (l *lineReader) next(ctx context.Context, prompt string) (string, bool) {
	l.con.prompt(prompt)
	l.more <- struct{}{}
	select {
	case line, ok := <-l.line:
		if !ok {
			l.con.prompt("\n") // the terminal shows nothing for Ctrl-D
		}
		return line, ok
	case <-ctx.Done():
		return "", false
	}
}

// stop ends the reading. Where ctx ended, a read is left behind: none of a
// terminal can be interrupted.
func (l *lineReader) stop() { close(l.more) }

const maxLine = 64 << 10

func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, partial, err := r.ReadLine()
		if err != nil {
			return "", err
		}
		line = append(line, part[:min(len(part), maxLine-len(line))]...)
		if !partial {
			return string(line), nil
		}
	}
}

// printable returns a name as it is, or quoted where it holds characters that
// do not show or that change how others show.
func printable(s string) string {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}

// printableText is printable for a text, which may have lines and tabs.
func printableText(s string) string {
	if bare := strings.NewReplacer("\n", "", "\t", "").Replace(s); printable(bare) == bare {
		return s
	}
	return strconv.Quote(s)
}

// escapeInvisible replaces the characters of a line of JSON that a terminal
// could obey by their escapes. They stand only within strings there.
func escapeInvisible(line []byte) []byte {
	var b []byte
	for i, r := range string(line) {
		switch visible := r == '\n' || unicode.IsPrint(r); {
		case visible && b != nil:
			b = utf8.AppendRune(b, r)
		case !visible:
			if b == nil {
				b = append(b, line[:i]...)
			}
			for _, unit := range utf16.Encode([]rune{r}) {
				b = fmt.Appendf(b, `\u%04x`, unit)
			}
		}
	}
	if b == nil {
		return line
	}
	return b
}

// An escapingWriter writes lines of JSON by escapeInvisible.
type escapingWriter struct{ io.Writer }

func (w escapingWriter) Write(p []byte) (int, error) {
	if _, err := w.Writer.Write(escapeInvisible(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
