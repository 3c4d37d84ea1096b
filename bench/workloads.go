package main

import "time"

// A kind of work decides what a contestant is told to do.
type kind int

const (
	file   kind = iota // one file
	folder             // a folder, by one process
	each               // the files of a folder, by one process each
	hello              // a message, by one process each
	lines              // messages, the lines of a file, by one process
)

// A workload is something to be done.
type workload struct {
	name      string
	kind      kind
	count     int   // files or messages
	size      int64 // bytes of each file
	rtt       time.Duration
	encrypted bool
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

const far = 40 * time.Millisecond

// workloads returns all of them, or their small versions.
func workloads(small bool, big int64) []workload {
	if small {
		return []workload{
			{name: "big", kind: file, count: 1, size: big},
			{name: "mid", kind: folder, count: 50, size: mib},
			{name: "small", kind: folder, count: 1000, size: 4 * kib},
			{name: "loop", kind: each, count: 10, size: 4 * kib},
			{name: "far-small", kind: folder, count: 20, size: 4 * kib, rtt: far},
			{name: "tls", kind: file, count: 1, size: big, encrypted: true},
			{name: "say", kind: hello, count: 20},
			{name: "say-lines", kind: lines, count: 10_000},
		}
	}
	return []workload{
		{name: "big", kind: file, count: 1, size: big},
		{name: "mid", kind: folder, count: 1000, size: mib},
		{name: "small", kind: folder, count: 10_000, size: 4 * kib},
		{name: "loop", kind: each, count: 200, size: 4 * kib},
		{name: "far-small", kind: folder, count: 500, size: 4 * kib, rtt: far},
		{name: "far-big", kind: file, count: 1, size: big, rtt: far},
		{name: "tls", kind: file, count: 1, size: big, encrypted: true},
		{name: "say", kind: hello, count: 200},
		{name: "say-lines", kind: lines, count: 100_000},
	}
}

// describe says what the work is.
func (w workload) describe() string {
	text := ""
	switch w.kind {
	case file:
		text = "one file of " + bytes(w.size)
	case folder:
		text = "a folder of " + number(w.count) + " × " + bytes(w.size)
	case each:
		text = number(w.count) + " × (one process, " + bytes(w.size) + ")"
	case hello:
		text = number(w.count) + " × (one process, one message)"
	case lines:
		text = number(w.count) + " messages, one process"
	}
	if w.encrypted {
		text += ", encrypted"
	}
	if w.rtt > 0 {
		text += ", " + w.rtt.String() + " round trip"
	}
	return text
}

// files reports whether the work leaves files behind.
func (w workload) files() bool { return w.kind == file || w.kind == folder || w.kind == each }
