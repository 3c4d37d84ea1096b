package report

import "slices"

// A Bar is what labnet sets itself: its time, with everything verified and
// durable, divided by that of a peer.
type Bar struct {
	Workload string
	Of       string // a contestant that sends to labnet
	Against  string // a contestant, or Best, or what is measured of labnet alone: Wire or Written
	Durable  bool   // count the peer's sync, too
	AtMost   float64
}

// Best stands for the fastest peer of each round.
const Best = "the best peer"

// Before is an earlier labnet, if that takes part.
const Before = "labnet before"

// Wire and Written stand for the contents, of which labnet's bytes are a part.
const (
	Wire    = "the contents: bytes on the wire"
	Written = "the contents: bytes written by the server"
)

// Bars are all of them.
var Bars = []Bar{
	{"big", "labnet", "cp", true, 1.15},
	{"big", "labnet", "rsync daemon", false, 0.75},
	{"big", "labnet", "scp", false, 0.75},
	{"big", "labnet", "sftp", false, 0.75},
	{"big", "labnet", "curl", false, 0.75},
	{"big", "curl to labnet", "curl", false, 1.1},
	{"mid", "labnet", "cp", true, 1.15},
	{"small", "labnet", "rsync daemon", false, 1.0},
	{"small", "labnet", "cp", true, 1.25},
	{"small", "labnet", "scp", false, 0.15},
	{"small", "labnet", "sftp", false, 0.15},
	{"small", "curl to labnet", "curl", false, 1.0},
	{"small", "curl -Z to labnet", "curl -Z", false, 1.0},
	{"loop", "labnet", "curl", false, 0.8},
	{"far-small", "labnet", "rsync daemon", false, 0.8},
	{"far-big", "labnet", Best, false, 1.0},
	{"tls", "labnet", "scp", false, 0.5},
	{"again-bytes", "labnet", Wire, false, 0.01},
	{"again-bytes", "labnet", Written, false, 0.01},
	{"again-small-bytes", "labnet", Wire, false, 0.05},
	{"again-big", "labnet", "rsync daemon", false, 0.7},
	{"again-small", "labnet", "rsync daemon", false, 1.0},
	{"quick-small", "labnet", "rsync daemon", false, 1.2},
	{"far-again-small", "labnet", "rsync daemon", false, 1.0},
	{"far-quick-small", "labnet", "rsync daemon", false, 1.0},
	{"link-small", "labnet", "rsync daemon", false, 0.6},
	{"link-small", "labnet", "tar | nc", false, 1.3},
	{"link-grown", "labnet", "rsync daemon", false, 1.0},
	{"big", "labnet", Before, false, 1.03},
	{"small", "labnet", Before, false, 1.03},
	{"loop", "labnet", Before, false, 1.03},
}

// Measure returns labnet's share of the peer's time. Its count is 0 if one of
// them did not run.
func (b Bar) Measure(w Workload) Spread {
	labnet, ok := w.entry(b.Of)
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
		if e.ToLabnet || e.Local {
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
