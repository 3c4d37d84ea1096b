// Package terminal is how a command talks to its user: results, notes, errors, progress and
// prompts for people, and objects (JSON) for programs.
package terminal

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

// A Console is where a command talks to its user: results on standard output,
// everything else on standard error.
type Console struct {
	In    *os.File
	Out   io.Writer
	Err   io.Writer
	JSON  bool // results are objects
	Quiet bool // nothing but errors for people

	mu     sync.Mutex
	status statusLine
	Meter  Meter
	outErr error   // of the first write to out that failed
	sum    Summary // of this run
	begun  time.Time

	Interrupts *interrupt.Catcher // of a client; nil in tests

	results   []byte // not written yet
	gathering bool   // results, until flush is called

	hints   map[string]bool // that were shown
	printed int             // lines that a person may have seen
}

// New returns a console for a run that begins now.
func New(in *os.File, out, err io.Writer) *Console {
	return &Console{In: in, Out: out, Err: err, begun: time.Now()}
}

// Begin tells which command is run, and whether its results are for programs.
func (c *Console) Begin(command string, json bool) { c.sum.Command, c.JSON = command, json }

// Result prints that a thing was done: a line for people, an object for
// programs.
func (c *Console) Result(o Object, format string, args ...any) {
	c.Done(o)
	c.Say(format, args...)
}

// Done is result without a line for people.
func (c *Console) Done(o Object) {
	c.mu.Lock()
	c.sum.Done++
	if c.sum.fileTotals != nil {
		c.sum.add(o)
	}
	c.mu.Unlock()
	c.object(o)
}

// Failure prints for programs that a thing was not done, because of err. People
// are told by fail.
func (c *Console) Failure(o Object, err error) {
	c.count(&c.sum.Failed)
	if item, ok := err.(*problem.ItemError); ok && o.File+o.Name != "" {
		err = item.Err // the object says which
	}
	o.Diagnosis = diagnosisOf(err)
	c.object(o)
}

// Skip tells that a file is left out, why, and what to do about it, if that is
// not ""; programs only, if it was asked for.
func (c *Console) Skip(o Object, why, hint string, askedFor bool) {
	c.count(&c.sum.Skipped)
	o.Op, o.Reason, o.Hint = "skip", why, hint
	c.object(o)
	if askedFor {
		return
	}
	c.Note("%s: %s", escape.Name(o.File), why)
	if !c.Quiet {
		c.hint(hint)
	}
}

// Unverified tells that nobody can say whether a file is as it should be, and why; people
// only if they want to know of every file.
func (c *Console) Unverified(o Object, code, why string, verbose bool) {
	c.count(&c.sum.Skipped)
	o.Code, o.Reason = code, why
	c.object(o)
	if verbose {
		c.Say("%s  %s  %s", escape.Name(o.Name), Amount(*o.Size), why)
	}
}

// Received counts a thing received.
func (c *Console) Received() { c.count(&c.sum.Done) }

// Broken notes that nothing more can be written to standard output, and why.
func (c *Console) Broken(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outErr = err
}

// Pinged sets what all pings make together.
func (c *Console) Pinged(s *PingSummary) { c.sum.PingSummary = s }

// Checked sums up cases: those that passed, warned and failed, those that cannot be
// told, and those that were not run.
func (c *Console) Checked(passed, warnings, failed, cannotTell, notRun int) {
	c.sum.Done, c.sum.Failed = passed+warnings, failed
	c.sum.CheckSummary = &CheckSummary{passed, warnings, cannotTell, notRun}
}

// Verified sums up files.
func (c *Console) Verified(s VerifySummary) { c.sum.VerifySummary = &s }

func (c *Console) count(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
}

// Say prints a line of results for people.
func (c *Console) Say(format string, args ...any) {
	if !c.JSON && !c.Quiet {
		fmt.Fprintf(c, format+"\n", args...)
	}
}

// object prints an object for programs.
func (c *Console) object(o Object) {
	if c.JSON {
		o.Time = Timestamp()
		c.Write(Encode(o))
	}
}

// Write writes lines to standard output. A failure is told at the end of the run.
func (c *Console) Write(lines []byte) (int, error) {
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

// Gather begins to gather results, so that those that are there at once are
// written at once, or ends that. Whoever begins it calls flush before anything is
// waited for.
func (c *Console) Gather(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = on
	c.writeResults()
}

// Flush writes the results that were gathered.
func (c *Console) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeResults()
}

func (c *Console) writeResults() {
	if len(c.results) == 0 {
		return
	}
	if err := c.write(c.Out, string(c.results)); err != nil {
		c.outErr = cmp.Or[error](c.outErr, problem.Item("standard output", err))
	}
	c.results = c.results[:0]
}

// End tells why a run ended, if err is not nil, sums it up for programs, and
// returns its exit code.
func (c *Console) End(err error) int {
	if err == nil {
		err = c.outErr
	}
	code := 0
	if why, ok := errors.AsType[interrupt.Error](err); ok {
		code = why.ExitCode()
	} else if err != nil {
		code = c.Fail(err)
	}
	if c.JSON && c.outErr == nil && (err != nil || c.sum.Command != "version") {
		c.sum.Op, c.sum.Time, c.sum.Exit, c.sum.Seconds = "summary", Timestamp(), code, Seconds(time.Since(c.begun))
		if err != nil {
			c.sum.Diagnosis = diagnosisOf(err)
		}
		if c.Write(Encode(c.sum)); c.outErr != nil && err == nil {
			return c.Fail(c.outErr)
		}
	}
	return code
}

// linesSoFar returns how many lines a person has seen.
func (c *Console) linesSoFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.printed
}

// Note tells the user something that is neither result nor error, unless only
// errors are wanted.
func (c *Console) Note(format string, args ...any) {
	if !c.Quiet {
		c.Tell(format, args...)
	}
}

// Tell prints a line on standard error.
func (c *Console) Tell(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeResults() // they came before
	c.write(c.Err, fmt.Sprintf("labnet: "+format+"\n", args...))
}

// Fail prints an error and, if there is one, a hint, and returns the exit code.
func (c *Console) Fail(err error) int {
	d := problem.Of(err)
	if d.Message != "" {
		c.Tell("error: %s", d.Message)
	}
	c.hint(d.Hint)
	return d.Code
}

// hint prints a hint, unless it is "" or was shown before.
func (c *Console) hint(hint string) {
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
		c.Tell("hint: %s", hint)
	}
}

// Interactive reports whether a person types the input.
func (c *Console) Interactive() bool { return isatty.IsTerminal(c.In.Fd()) }

// IsTerminal reports whether a person sees what is written to w.
func IsTerminal(w io.Writer) bool {
	if f, ok := w.(*os.File); ok {
		return isatty.IsTerminal(f.Fd())
	}
	t, ok := w.(interface{ IsTerminal() bool }) // in tests
	return ok && t.IsTerminal()
}
