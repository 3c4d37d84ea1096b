package commands

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/interrupt"
	"github.com/labnet/labnet/commands/problem"
)

// maxGathered is how many bytes of results are written at once. A pipe takes so
// many in one piece on every system, also when others write to it.
const maxGathered = 512

// A console is where a command talks to its user: results on standard output,
// everything else on standard error.
type console struct {
	in    *os.File
	out   io.Writer
	err   io.Writer
	json  bool // results are objects
	quiet bool // nothing but errors for people

	mu     sync.Mutex
	status statusLine
	meter  meter
	outErr error   // of the first write to out that failed
	sum    summary // of this run
	begun  time.Time

	interrupts *interrupt.Catcher // of a client; nil in tests

	results   []byte // not written yet
	gathering bool   // results, until flush is called

	hints   map[string]bool // that were shown
	printed int             // lines that a person may have seen
}

// newConsole returns a console for a run that begins now.
func newConsole(in *os.File, out, err io.Writer) *console {
	return &console{in: in, out: out, err: err, begun: time.Now()}
}

// begin tells which command is run, and whether its results are for programs.
func (c *console) begin(command string, json bool) { c.sum.Command, c.json = command, json }

// result prints that a thing was done: a line for people, an object for
// programs.
func (c *console) result(o object, format string, args ...any) {
	c.done(o)
	c.say(format, args...)
}

// done is result without a line for people.
func (c *console) done(o object) {
	c.mu.Lock()
	c.sum.Done++
	if c.sum.fileTotals != nil {
		c.sum.add(o)
	}
	c.mu.Unlock()
	c.object(o)
}

// failure prints for programs that a thing was not done, because of err. People
// are told by fail.
func (c *console) failure(o object, err error) {
	c.count(&c.sum.Failed)
	if item, ok := err.(*problem.ItemError); ok && o.File != "" {
		err = item.Err // the object says which
	}
	o.diagnosis = diagnosisOf(err)
	c.object(o)
}

// skip tells that a file is left out, why, and what to do about it, if that is
// not ""; programs only, if it was asked for.
func (c *console) skip(o object, why, hint string, askedFor bool) {
	c.count(&c.sum.Skipped)
	o.Op, o.Reason, o.Hint = "skip", why, hint
	c.object(o)
	if askedFor {
		return
	}
	c.note("%s: %s", escape.Name(o.File), why)
	if !c.quiet {
		c.hint(hint)
	}
}

// received counts a thing received.
func (c *console) received() { c.count(&c.sum.Done) }

// broken notes that nothing more can be written to standard output, and why.
func (c *console) broken(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outErr = err
}

// pinged sets what all pings make together.
func (c *console) pinged(s *pingSummary) { c.sum.pingSummary = s }

func (c *console) count(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
}

// say prints a line of results for people.
func (c *console) say(format string, args ...any) {
	if !c.json && !c.quiet {
		fmt.Fprintf(c, format+"\n", args...)
	}
}

// object prints an object for programs.
func (c *console) object(o object) {
	if c.json {
		o.Time = timestamp()
		c.Write(encode(o))
	}
}

// Write writes lines to standard output. A failure is told at the end of the run.
func (c *console) Write(lines []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.results)+len(lines) > maxGathered {
		c.writeResults()
	}
	c.results = append(c.results, lines...)
	if !c.gathering {
		c.writeResults()
	}
	return len(lines), c.outErr
}

// gather begins to gather results, so that those that are there at once are
// written at once, or ends that. Whoever begins it calls flush before anything is
// waited for.
func (c *console) gather(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = on
	c.writeResults()
}

// flush writes the results that were gathered.
func (c *console) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeResults()
}

func (c *console) writeResults() {
	if len(c.results) == 0 {
		return
	}
	if err := c.write(c.out, string(c.results)); err != nil {
		c.outErr = cmp.Or[error](c.outErr, problem.Item("standard output", err))
	}
	c.results = c.results[:0]
}

// end tells why a run ended, if err is not nil, sums it up for programs, and
// returns its exit code.
func (c *console) end(err error) int {
	if err == nil {
		err = c.outErr
	}
	code := 0
	if why, ok := errors.AsType[interrupt.Error](err); ok {
		code = why.ExitCode()
	} else if err != nil {
		code = c.fail(err)
	}
	if c.json && c.outErr == nil && (err != nil || c.sum.Command != "version") {
		c.sum.Op, c.sum.Time, c.sum.Exit, c.sum.Seconds = "summary", timestamp(), code, seconds(time.Since(c.begun))
		if err != nil {
			c.sum.diagnosis = diagnosisOf(err)
		}
		if c.Write(encode(c.sum)); c.outErr != nil && err == nil {
			return c.fail(c.outErr)
		}
	}
	return code
}

// linesSoFar returns how many lines a person has seen.
func (c *console) linesSoFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.printed
}

// note tells the user something that is neither result nor error, unless only
// errors are wanted.
func (c *console) note(format string, args ...any) {
	if !c.quiet {
		c.tell(format, args...)
	}
}

// tell prints a line on standard error.
func (c *console) tell(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeResults() // they came before
	c.write(c.err, fmt.Sprintf("labnet: "+format+"\n", args...))
}

// fail prints an error and, if there is one, a hint, and returns the exit code.
func (c *console) fail(err error) int {
	d := problem.Of(err)
	if d.Message != "" {
		c.tell("error: %s", d.Message)
	}
	c.hint(d.Hint)
	return d.Code
}

// hint prints a hint, unless it is "" or was shown before.
func (c *console) hint(hint string) {
	c.mu.Lock()
	shown := hint == "" || c.hints[hint]
	if !shown {
		if c.hints == nil {
			c.hints = map[string]bool{}
		}
		c.hints[hint] = true
	}
	c.mu.Unlock()
	if !shown {
		c.tell("hint: %s", hint)
	}
}

// interactive reports whether a person types the input.
func (c *console) interactive() bool { return isatty.IsTerminal(c.in.Fd()) }

// isTerminal reports whether a person sees what is written to w.
func isTerminal(w io.Writer) bool {
	if f, ok := w.(*os.File); ok {
		return isatty.IsTerminal(f.Fd())
	}
	t, ok := w.(interface{ IsTerminal() bool }) // in tests
	return ok && t.IsTerminal()
}
