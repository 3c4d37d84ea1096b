package terminal

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/labnet/labnet/commands/interrupt"
)

const (
	// progressAfter is how long work takes before its progress is shown,
	progressAfter = 500 * time.Millisecond
	// progressEvery how often it is shown again,
	progressEvery = 200 * time.Millisecond
	// progressRest how long it is not after a result that went elsewhere, from
	// where it may come to the same terminal, such as through a pipe.
	progressRest = 500 * time.Millisecond
)

// What a terminal is told. The line is drawn over the one before, and only what
// is left of that is erased, so that nothing flickers. The cursor waits at its
// start: a terminal that makes two lines of it, when it becomes narrower, keeps
// the cursor at the first, and both are erased. While it is drawn nothing wraps,
// also where the terminal knows a wider form of a character.
const (
	eraseBelow = "\r\x1b[J"
	drawBefore = "\r\x1b[?7l"
	drawAfter  = "\x1b[J\x1b[?7h\r"
)

// A statusLine is the line of a terminal that shows the progress of a meter,
// below all that is printed. It belongs to a console, under whose lock it is.
type statusLine struct {
	drawn string    // what the terminal shows; "" is nothing
	rest  time.Time // until when nothing is drawn
	ended bool
}

// progress begins to show the progress of work on things of a kind, if that
// lasts and somebody looks, and to catch the signals that stop it. It is of that
// many things, or of those to be found if that is zero. What it returns must be
// called at the end: then the line is gone.
func (c *Console) progress(things string, count int) (end func()) {
	if !c.Quiet {
		c.Meter.begin(things, count)
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	begin := time.AfterFunc(progressAfter, func() {
		defer close(ended)
		c.Interrupts.Catch(interrupt.Stops...)
		if !c.JSON && !c.Quiet {
			c.showProgress(quit)
		}
	})
	return func() {
		if close(quit); !begin.Stop() {
			<-ended
		}
		c.Meter.end()
	}
}

// Work is progress for work within ctx. What it returns also tells, if a signal has
// ended ctx, how far the work has come.
func (c *Console) Work(ctx context.Context, things string, count int, lab bool) func() {
	end := c.progress(things, count)
	before := c.doneSoFar()
	return func() {
		if _, stopped := errors.AsType[interrupt.Error](context.Cause(ctx)); stopped {
			if text := c.Meter.stopped(c.doneSoFar()-before, lab); text != "" {
				c.Note("%s", text)
			}
		}
		end()
	}
}

// Reading is Work of reading files, rather than of sending something.
func (c *Console) Reading(ctx context.Context, things string) func() {
	end := c.Work(ctx, things, 0, false)
	c.Meter.reading()
	return end
}

func (c *Console) doneSoFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum.Done
}

// showProgress shows it until quit is closed.
func (c *Console) showProgress(quit <-chan struct{}) {
	columns := lineTerminal(c.Err)
	if screen, ok := c.Err.(interface{ Width() int }); ok { // in tests
		columns = screen.Width
	}
	if columns == nil {
		return
	}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		c.draw(columns())
		select {
		case <-tick.C:
		case <-quit:
			c.Erase(false)
			return
		}
	}
}

// draw draws the line in so many columns. None are there while the terminal is
// another process's to write to.
func (c *Console) draw(columns int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &c.status
	// Not the last one: a cursor there is, for some terminals, in the next line.
	text := c.Meter.text(columns - 1)
	switch {
	case l.ended || time.Now().Before(l.rest):
	case columns <= 1:
		l.drawn = ""
	case text != "":
		l.drawn = text
		io.WriteString(c.Err, drawBefore+text+drawAfter)
	case l.drawn != "":
		l.drawn = ""
		io.WriteString(c.Err, eraseBelow)
	}
}

// Erase removes the line, for ever if the process ends.
func (c *Console) Erase(forever bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.ended = c.status.ended || forever
	if c.status.drawn != "" {
		c.status.drawn = ""
		io.WriteString(c.Err, eraseBelow)
	}
}

// write writes lines, c being locked. In one piece with them it moves the
// progress, if any is shown, below them.
func (c *Console) write(w io.Writer, lines string) error {
	l := &c.status
	c.printed += strings.Count(lines, "\n")
	switch {
	case l.drawn == "":
	case w == c.Err || sameFile(w, c.Err):
		lines = eraseBelow + lines + drawBefore + l.drawn + drawAfter
	case mayShow(w):
		l.drawn, l.rest = "", time.Now().Add(progressRest)
		io.WriteString(c.Err, eraseBelow)
	}
	_, err := io.WriteString(w, lines)
	return err
}

// sameFile reports whether two writers are one file, such as one terminal.
func sameFile(a, b io.Writer) bool {
	first, second := stat(a), stat(b)
	return first != nil && second != nil && os.SameFile(first, second)
}

// mayShow reports whether what is written to w may come to a terminal.
func mayShow(w io.Writer) bool {
	info := stat(w)
	return info != nil && (info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 || IsTerminal(w))
}

func stat(w io.Writer) os.FileInfo {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			return info
		}
	}
	return nil
}
