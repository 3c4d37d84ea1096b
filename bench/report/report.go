// Package report turns measured runs into a table, a plot and a verdict.
package report

import (
	"slices"
	"time"
)

// A Report is all that was measured at one time on one machine.
type Report struct {
	Machine   Machine
	Date      time.Time
	Commit    string
	Small     bool // sizes are not those of the bar
	Rounds    int
	Workloads []Workload
	Memory    []Memory
	Legend    []string // who the contestants are
	Missing   []string // contestants that are not installed
}

// A Workload is one piece of work, and how everybody did it.
type Workload struct {
	Name, Title string
	Reference   string // whom the others are compared with
	Files       bool   // it leaves files, which can be made durable
	Counted     bool   // bytes are measured, not time
	Contents    int64  // bytes of the files
	Entries     []Entry
}

// An Entry is how one contestant did a workload.
type Entry struct {
	Name     string
	ToLabnet bool   // it sends to labnet
	Local    bool   // no network between source and destination
	Runs     []*Run // by round; nil where it did not take part
	Slow     bool   // it did one round only
	Failed   string // why there are no runs, or no more
}

// A Run is one piece of work done once.
type Run struct {
	Done, Durable time.Duration // from the start, until it said so and until it would survive a power cut
	ClientCPU     time.Duration
	ServerCPU     time.Duration
	ClientPeak    int64 // bytes resident, of the largest process
	ServerPeak    int64
	Load          float64 // processors that others kept busy meanwhile
	Wire          int64   // bytes that crossed the wire, if that was counted
	Written       int64   // bytes that the server had written to its disk
}

// Memory is what one server needs for many connections.
type Memory struct {
	Name    string
	Uploads int   // at the same time
	Peak    int64 // bytes that all its processes together had resident then
	Idle    int   // connections on which nothing happens
	Each    int64 // bytes resident more for each of those
	Failed  string
}

// MuchLoad is a load from which on a run is not to be trusted.
const MuchLoad = 0.10

// Disturbed reports whether others used the machine during a run.
func (r *Run) Disturbed() bool { return r.Load > MuchLoad }

// A Spread is what several rounds gave.
type Spread struct {
	Median, Min, Max float64
	Count            int
}

func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	slices.Sort(values)
	n := len(values)
	return Spread{
		Median: (values[(n-1)/2] + values[n/2]) / 2,
		Min:    values[0],
		Max:    values[n-1],
		Count:  n,
	}
}

// of measures all runs of an entry.
func (e Entry) of(measure func(*Run) float64) Spread {
	var values []float64
	for _, run := range e.Runs {
		if run != nil {
			values = append(values, measure(run))
		}
	}
	return spread(values)
}

func done(r *Run) float64    { return r.Done.Seconds() }
func durable(r *Run) float64 { return r.Durable.Seconds() }
func wire(r *Run) float64    { return float64(r.Wire) }
func written(r *Run) float64 { return float64(r.Written) }

// ofContents is a measure of bytes as a part of the contents.
func (w Workload) ofContents(measure func(*Run) float64) func(*Run) float64 {
	return func(r *Run) float64 { return measure(r) / float64(max(w.Contents, 1)) }
}

// against compares the runs of two entries of the same rounds.
func (e Entry) against(other Entry, mine, theirs func(*Run) float64) Spread {
	var ratios []float64
	for round := range min(len(e.Runs), len(other.Runs)) {
		if a, b := e.Runs[round], other.Runs[round]; a != nil && b != nil && theirs(b) > 0 {
			ratios = append(ratios, mine(a)/theirs(b))
		}
	}
	return spread(ratios)
}

// entry finds a contestant.
func (w Workload) entry(name string) (Entry, bool) {
	i := slices.IndexFunc(w.Entries, func(e Entry) bool { return e.Name == name && e.of(done).Count > 0 })
	if i < 0 {
		return Entry{}, false
	}
	return w.Entries[i], true
}

// ranked returns the entries that have runs, the fastest first.
func (w Workload) ranked() []Entry {
	var list []Entry
	for _, e := range w.Entries {
		if e.of(done).Count > 0 {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b Entry) int {
		return int((a.of(done).Median - b.of(done).Median) * 1e6)
	})
	return list
}

func (r Report) workload(name string) (Workload, bool) {
	i := slices.IndexFunc(r.Workloads, func(w Workload) bool { return w.Name == name })
	if i < 0 {
		return Workload{}, false
	}
	return r.Workloads[i], true
}
