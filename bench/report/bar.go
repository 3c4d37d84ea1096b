package report

import "slices"

// A Bar is what labnet sets itself: its time, with everything verified and
// durable, divided by that of a peer.
type Bar struct {
	Workload string
	Against  string // a contestant, or Best, or what is measured of labnet alone: Wire or Written
	Durable  bool   // count the peer's sync, too
	AtMost   float64
}

// Best stands for the fastest peer of each round.
const Best = "the best peer"

// Wire and Written stand for the contents, of which labnet's bytes are a part.
const (
	Wire    = "the contents: bytes on the wire"
	Written = "the contents: bytes written by the server"
)

// Bars are all of them.
var Bars = []Bar{
	{"big", "cp", true, 1.15},
	{"big", "rsync daemon", false, 0.75},
	{"big", "scp", false, 0.75},
	{"big", "sftp", false, 0.75},
	{"big", "curl", false, 0.75},
	{"mid", "cp", true, 1.15},
	{"small", "rsync daemon", false, 1.0},
	{"small", "cp", true, 1.25},
	{"small", "scp", false, 0.15},
	{"small", "sftp", false, 0.15},
	{"loop", "curl", false, 0.8},
	{"far-small", "rsync daemon", false, 0.8},
	{"far-big", Best, false, 1.0},
	{"tls", "scp", false, 0.5},
	{"again-bytes", Wire, false, 0.01},
	{"again-bytes", Written, false, 0.01},
	{"again-small-bytes", Wire, false, 0.05},
	{"again-big", "rsync daemon", false, 0.7},
	{"again-small", "rsync daemon", false, 1.0},
	{"quick-small", "rsync daemon", false, 1.2},
	{"far-again-small", "rsync daemon", false, 1.0},
	{"far-quick-small", "rsync daemon", false, 1.0},
	{"link-small", "rsync daemon", false, 0.6},
	{"link-small", "tar | nc", false, 1.3},
	{"link-grown", "rsync daemon", false, 1.0},
}

// Measure returns labnet's share of the peer's time. Its count is 0 if one of
// them did not run.
func (b Bar) Measure(w Workload) Spread {
	labnet, ok := w.entry(w.Reference)
	if !ok {
		return Spread{}
	}
	switch b.Against {
	case Wire:
		return labnet.of(w.ofContents(wire))
	case Written:
		return labnet.of(w.ofContents(written))
	}
	theirs := done
	if b.Durable {
		theirs = durable
	}
	if b.Against == Best {
		return labnet.against(best(w), done, theirs)
	}
	peer, ok := w.entry(b.Against)
	if !ok {
		return Spread{}
	}
	return labnet.against(peer, done, theirs)
}

// best makes up the contestant that is as fast as the fastest peer in each round.
func best(w Workload) Entry {
	var fastest Entry
	for _, e := range w.Entries {
		if e.Name == w.Reference || e.Local {
			continue
		}
		for round, run := range e.Runs {
			fastest.Runs = slices.Grow(fastest.Runs, len(e.Runs))[:max(len(fastest.Runs), len(e.Runs))]
			if run != nil && (fastest.Runs[round] == nil || run.Done < fastest.Runs[round].Done) {
				fastest.Runs[round] = run
			}
		}
	}
	return fastest
}
