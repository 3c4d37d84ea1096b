package terminal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
)

// Unconfirmed is the remark on what was sent in the lab dialect.
const Unconfirmed = "sent, not confirmed by the server"

// A Tally counts the outcomes of several things of a kind.
type Tally struct {
	all    int
	Failed int
	code   int // the highest exit code of those that failed
	Recap  Recap
}

// Count notes the outcome of the thing that o is, and shows a failure. It
// returns an error only if there is no point in going on: without a server or a
// token, or when interrupted.
func (t *Tally) Count(ctx context.Context, con *Console, o Object, err error) error {
	t.all++
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	con.Failure(o, err)
	if problem.Of(err).EndsRun {
		if item, ok := err.(*problem.ItemError); ok {
			err = item.Err // it is not about the item
		}
		return err
	}
	t.Failed++
	t.Recap.add(con, err)
	t.code = max(t.code, con.Fail(err))
	return nil
}

// Err sums up: what says which things were not done.
func (t *Tally) Err(what string) error {
	switch {
	case t.Failed == 0:
		return nil
	case t.all == 1:
		return problem.Undone("", t.code) // all is said
	}
	return problem.Undone(fmt.Sprintf("%s of %s %s", Grouped(t.Failed), Grouped(t.all), what), t.code)
}

const (
	// maxRecap is how many failures are shown a second time.
	maxRecap = 10
	// scrolledAway is how many lines a terminal is supposed to show.
	scrolledAway = 20
)

// A Recap remembers failures, to show them again at the end.
type Recap struct {
	Failed int
	first  []string // what failed, and why
	line   int      // of the console, where the first was printed
}

func (r *Recap) add(con *Console, err error) {
	if r.Failed++; r.Failed == 1 {
		r.line = con.linesSoFar()
	}
	if len(r.first) < maxRecap {
		r.first = append(r.first, problem.Of(err).Message)
	}
}

// Tell shows the failures again to a person who may no longer see them.
func (r *Recap) Tell(con *Console) {
	if con.Quiet || con.JSON || r.Failed == 0 || !IsTerminal(con.Err) || con.linesSoFar()-r.line < scrolledAway {
		return
	}
	list := strings.Join(r.first, "\n  ")
	if more := r.Failed - len(r.first); more > 0 {
		list += "\n  and " + Grouped(more) + " more"
	}
	con.Note("failed:\n  %s", list)
}

// Totals are those of a part of a run.
type Totals struct {
	con    *Console
	thing  string
	before Summary
	begun  time.Time
}

// Totals begins to count what is sent, in files or in things of another name.
func (c *Console) Totals(thing string) Totals {
	if c.sum.fileTotals == nil {
		c.sum.fileTotals = new(fileTotals)
	}
	before := c.sum
	before.fileTotals = new(*c.sum.fileTotals)
	return Totals{c, thing, before, time.Now()}
}

// Tell prints them, unless nothing was sent. stopped says whether more was to be sent
// than was tried, and failed how much of that could not be sent. They go to standard output if a person sees that, and not where
// a program reads it.
func (t Totals) Tell(stopped bool, failed int) {
	text := t.text(stopped, failed)
	switch {
	case text == "" || t.con.JSON || t.con.Quiet:
	case IsTerminal(t.con.Out):
		t.con.Say("%s", text)
	default:
		t.con.Note("%s", text)
	}
}

// Outcomes returns of how many things the outcome is known.
func (t Totals) Outcomes() int {
	now, before := t.con.sum, t.before
	return now.Done + now.Failed + now.Skipped - before.Done - before.Failed - before.Skipped
}

func (t Totals) text(stopped bool, failed int) string {
	now, before := t.con.sum, t.before
	files, folders := now.Files-before.Files, now.folders-before.folders
	if files+folders == 0 {
		return ""
	}
	text := NumberOf(files, t.thing)
	if files > 0 {
		took := time.Since(t.begun)
		text += ", " + Amount(now.Bytes-before.Bytes) + ", " + About(took)
		if sent := now.sent - before.sent; sent > 0 {
			text += ", " + Amount(int64(float64(sent)/max(took.Seconds(), 1e-6))) + "/s"
		}
	}
	if folders > 0 {
		text += "; " + NumberOf(folders, "empty folder")
	}
	text += unchangedOf(files, now.Unchanged-before.Unchanged, now.Assumed-before.Assumed)
	for _, of := range []struct {
		n    int
		what string
	}{{now.Skipped - before.Skipped, " skipped"}, {failed, " failed"}} {
		if of.n > 0 {
			text += "; " + Grouped(of.n) + of.what
		}
	}
	if now.unconfirmed {
		text += "; " + Unconfirmed
	}
	if stopped {
		text += "; the rest was not sent"
	}
	return text
}

// unchangedOf says how many of the files were unchanged, and how many of those were
// only assumed to be.
func unchangedOf(files, unchanged, assumed int) string {
	how := " unchanged"
	if assumed > 0 && assumed == unchanged {
		how = " assumed unchanged"
	}
	switch {
	case unchanged == 0:
		return ""
	case unchanged == files:
		how = "; all" + how
	default:
		how = "; " + Grouped(unchanged) + how
	}
	if assumed > 0 && assumed < unchanged {
		how += ", " + Grouped(assumed) + " of them assumed"
	}
	return how
}

// Sent prints that a file or blob was sent, under a label and with its digest and
// a remark if there are any.
func (c *Console) Sent(o Object, label, digest, remark string, took time.Duration) {
	rate := float64(*o.Size-o.Resumed) / max(took.Seconds(), 1e-6)
	var more string
	for _, text := range []string{digest, remark} {
		if text != "" {
			more += "  " + text
		}
	}
	o.Seconds = new(Seconds(took))
	c.Result(o, "%s  %s  %.1fs  %s/s%s", escape.Name(label), Amount(*o.Size), took.Seconds(), Amount(int64(rate)), more)
}
