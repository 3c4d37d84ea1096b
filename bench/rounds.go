package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/labnet/labnet/bench/report"
)

// A plan is how often the work is done.
type plan struct {
	rounds  int
	retries int           // of a run that others disturbed
	slow    time.Duration // who needs longer does one round only
}

// measure lets every contestant do a workload once a round, each round beginning
// with another one. So a change of the machine meets all of them.
func (b *bench) measure(ctx context.Context, w workload, all []contestant, p plan) (report.Workload, error) {
	result := report.Workload{
		Name: w.name, Title: w.describe(), Reference: "labnet", Files: w.files(),
		Counted: w.counted, Contents: w.contents(),
	}
	source, err := makeSource(b.dir, w)
	if err != nil {
		return result, err
	}
	var part []contestant
	for _, c := range all {
		if c.takesPart(w) {
			part = append(part, c)
			result.Entries = append(result.Entries, report.Entry{
				Name: c.name, ToLabnet: c.toLabnet, Local: c.local, Runs: make([]*report.Run, p.rounds),
			})
		}
	}
	for round := range p.rounds {
		for _, i := range order(round, len(part)) {
			entry := &result.Entries[i]
			if entry.Failed != "" || entry.Slow {
				continue
			}
			run, err := b.try(ctx, w, part[i], source, p.retries)
			if ctx.Err() != nil {
				return result, context.Cause(ctx)
			}
			progress(w, round, entry.Name, run, err)
			switch {
			case errors.Is(err, errTooSlow):
				entry.Failed = fmt.Sprintf("stopped after %v", b.limit)
			case err != nil:
				entry.Failed = err.Error()
			default:
				entry.Runs[round] = run
				entry.Slow = run.Done > p.slow && entry.Name != result.Reference && round+1 < p.rounds
			}
		}
	}
	return result, nil
}

// order is in which order n contestants do a round: each round begins with
// another one, and every second goes backwards, so that nobody always suffers
// from the same one before it.
func order(round, n int) []int {
	list := make([]int, n)
	for i := range list {
		step := i
		if round%2 == 1 {
			step = n - i
		}
		list[i] = (round + step) % n
	}
	return list
}

// try runs until nobody disturbed, or often enough.
func (b *bench) try(ctx context.Context, w workload, c contestant, source string, retries int) (*report.Run, error) {
	var calmest *report.Run
	for range 1 + retries {
		run, err := b.run(ctx, w, c, source)
		if err != nil {
			return nil, err
		}
		if calmest == nil || run.Load < calmest.Load {
			calmest = run
		}
		if !calmest.Disturbed() {
			break
		}
	}
	return calmest, nil
}

// progress tells who did what, for somebody who waits.
func progress(w workload, round int, name string, run *report.Run, err error) {
	prefix := fmt.Sprintf("%-17s %d  %-14s", w.name, round+1, name)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s %v\n", prefix, err)
		return
	}
	if w.counted {
		fmt.Fprintf(os.Stderr, "%s %d bytes on the wire, %d written by the server, of %d\n", prefix, run.Wire, run.Written, w.contents())
		return
	}
	fmt.Fprintf(os.Stderr, "%s %8.3f s, durable %8.3f s, cpu %6.2f + %6.2f s, peak %3d + %3d MiB, load %.2f\n", prefix,
		run.Done.Seconds(), run.Durable.Seconds(), run.ClientCPU.Seconds(), run.ServerCPU.Seconds(),
		run.ClientPeak>>20, run.ServerPeak>>20, run.Load)
}
