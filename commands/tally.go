package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/labnet/labnet/wire"
)

// A tally counts the outcomes of several things of a kind.
type tally struct {
	all    int
	failed int
	code   int // the highest exit code of those that failed
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
	if endsAll(err) {
		if item, ok := err.(*itemError); ok {
			err = item.err // it is not about the item
		}
		return err
	}
	t.failed++
	t.code = max(t.code, con.fail(err))
	return nil
}

// endsAll reports whether no other thing can succeed either.
func endsAll(err error) bool {
	if _, gone := errors.AsType[*unreachable](err); gone {
		return true
	}
	if _, gone := errors.AsType[*insecure](err); gone {
		return true
	}
	refused, ok := errors.AsType[*wire.Error](err)
	return ok && refused.Code == wire.CodeDenied
}

// err sums up: what says which things were not done.
func (t *tally) err(what string) error {
	switch {
	case t.failed == 0:
		return nil
	case t.all == 1:
		return &undone{"", t.code} // all is said
	}
	return &undone{fmt.Sprintf("%d of %d %s", t.failed, t.all, what), t.code}
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
	c.result(o, "%s  %s  %.1fs  %s/s%s", printable(label), amount(*o.Size), took.Seconds(), amount(int64(rate)), more)
}
