package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// A tally counts the outcomes of several things of a kind.
type tally struct {
	all    int
	failed int
	code   int // the highest exit code of those that failed
}

// count notes an outcome and shows a failure. It returns an error only if
// there is no point in going on: without a server, or when interrupted.
func (t *tally) count(ctx context.Context, con *console, err error) error {
	t.all++
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if gone, ok := errors.AsType[*unreachable](err); ok {
		return gone
	}
	t.failed++
	t.code = max(t.code, con.fail(err))
	return nil
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

// sent is the outcome of one file or blob.
type sent struct {
	Op          string  `json:"op"`
	Addr        string  `json:"addr"`
	File        string  `json:"file,omitempty"`
	Name        string  `json:"name,omitempty"`
	Size        int64   `json:"size"`
	Seconds     float64 `json:"seconds"`
	Digest      string  `json:"digest,omitempty"`
	Resumed     int64   `json:"resumed,omitempty"` // bytes that an earlier try had brought
	Unchanged   bool    `json:"unchanged,omitempty"`
	Unconfirmed bool    `json:"unconfirmed,omitempty"` // the lab dialect acknowledges nothing
}

// failed is the outcome of one that was not sent.
type failed struct {
	Op    string `json:"op"`
	Addr  string `json:"addr"`
	File  string `json:"file,omitempty"`
	Error string `json:"error"`
}

// print shows the outcome under a label, with a remark if there is one.
func (s sent) print(con *console, label, remark string, took time.Duration) {
	s.Seconds = took.Seconds()
	rate := float64(s.Size-s.Resumed) / max(took.Seconds(), 1e-6)
	line := fmt.Sprintf("%s  %s  %.1fs  %s/s", printable(label), humanize.IBytes(uint64(s.Size)), s.Seconds, humanize.IBytes(uint64(rate)))
	for _, more := range []string{s.Digest, remark} {
		if more != "" {
			line += "  " + more
		}
	}
	con.result(s, "%s", line)
}
