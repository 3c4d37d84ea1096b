package commands

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
)

// unconfirmed is the remark on what was sent in the lab dialect.
const unconfirmed = "sent, not confirmed by the server"

// A tally counts the outcomes of several things of a kind.
type tally struct {
	all    int
	failed int
	code   int // the highest exit code of those that failed
	recap  recap
}

// count notes the outcome of the thing that o is, and shows a failure. It
// returns an error only if there is no point in going on: without a server or a
// token, or when interrupted.
func (t *tally) count(ctx context.Context, con *console, o object, err error) error {
	t.all++
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	con.failure(o, err)
	if problem.Of(err).EndsRun {
		if item, ok := err.(*problem.ItemError); ok {
			err = item.Err // it is not about the item
		}
		return err
	}
	t.failed++
	t.recap.add(con, err)
	t.code = max(t.code, con.fail(err))
	return nil
}

// err sums up: what says which things were not done.
func (t *tally) err(what string) error {
	switch {
	case t.failed == 0:
		return nil
	case t.all == 1:
		return problem.Undone("", t.code) // all is said
	}
	return problem.Undone(fmt.Sprintf("%s of %s %s", grouped(t.failed), grouped(t.all), what), t.code)
}

const (
	// maxRecap is how many failures are shown a second time.
	maxRecap = 10
	// scrolledAway is how many lines a terminal is supposed to show.
	scrolledAway = 20
)

// A recap remembers failures, to show them again at the end.
type recap struct {
	failed int
	first  []string // what failed, and why
	line   int      // of the console, where the first was printed
}

func (r *recap) add(con *console, err error) {
	if r.failed++; r.failed == 1 {
		r.line = con.linesSoFar()
	}
	if len(r.first) < maxRecap {
		r.first = append(r.first, problem.Of(err).Message)
	}
}

// tell shows the failures again to a person who may no longer see them.
func (r *recap) tell(con *console) {
	if con.quiet || con.json || r.failed == 0 || !isTerminal(con.err) || con.linesSoFar()-r.line < scrolledAway {
		return
	}
	list := strings.Join(r.first, "\n  ")
	if more := r.failed - len(r.first); more > 0 {
		list += "\n  and " + grouped(more) + " more"
	}
	con.note("failed:\n  %s", list)
}

// totals are those of a part of a run.
type totals struct {
	con    *console
	thing  string
	before summary
	begun  time.Time
}

// totals begins to count what is sent, in files or in things of another name.
func (c *console) totals(thing string) totals {
	if c.sum.fileTotals == nil {
		c.sum.fileTotals = new(fileTotals)
	}
	before := c.sum
	before.fileTotals = new(*c.sum.fileTotals)
	return totals{c, thing, before, time.Now()}
}

// tell prints them, unless nothing was sent. stopped says whether more was to be sent
// than was tried, and failed how much of that could not be sent. They go to standard output if a person sees that, and not where
// a program reads it.
func (t totals) tell(stopped bool, failed int) {
	text := t.text(stopped, failed)
	switch {
	case text == "" || t.con.json || t.con.quiet:
	case isTerminal(t.con.out):
		t.con.say("%s", text)
	default:
		t.con.note("%s", text)
	}
}

// outcomes returns of how many things the outcome is known.
func (t totals) outcomes() int {
	now, before := t.con.sum, t.before
	return now.Done + now.Failed + now.Skipped - before.Done - before.Failed - before.Skipped
}

func (t totals) text(stopped bool, failed int) string {
	now, before := t.con.sum, t.before
	files, folders := now.Files-before.Files, now.folders-before.folders
	if files+folders == 0 {
		return ""
	}
	text := numberOf(files, t.thing)
	if files > 0 {
		took := time.Since(t.begun)
		text += ", " + amount(now.Bytes-before.Bytes) + ", " + about(took)
		if sent := now.sent - before.sent; sent > 0 {
			text += ", " + amount(int64(float64(sent)/max(took.Seconds(), 1e-6))) + "/s"
		}
	}
	if folders > 0 {
		text += "; " + numberOf(folders, "empty folder")
	}
	switch unchanged := now.Unchanged - before.Unchanged; unchanged {
	case 0:
	case files:
		text += "; all unchanged"
	default:
		text += "; " + grouped(unchanged) + " unchanged"
	}
	for _, of := range []struct {
		n    int
		what string
	}{{now.Skipped - before.Skipped, " skipped"}, {failed, " failed"}} {
		if of.n > 0 {
			text += "; " + grouped(of.n) + of.what
		}
	}
	if now.unconfirmed {
		text += "; " + unconfirmed
	}
	if stopped {
		text += "; the rest was not sent"
	}
	return text
}

// sent prints that a file or blob was sent, under a label and with its digest and
// a remark if there are any.
func (c *console) sent(o object, label, digest, remark string, took time.Duration) {
	rate := float64(*o.Size-o.Resumed) / max(took.Seconds(), 1e-6)
	var more string
	for _, text := range []string{digest, remark} {
		if text != "" {
			more += "  " + text
		}
	}
	o.Seconds = new(seconds(took))
	c.result(o, "%s  %s  %.1fs  %s/s%s", escape.Name(label), amount(*o.Size), took.Seconds(), amount(int64(rate)), more)
}
