package main

import (
	"fmt"
	"time"
)

// A kind of work decides what a contestant is told to do.
type kind int

const (
	file   kind = iota // one file
	folder             // a folder, by one process
	each               // the files of a folder, by one process each
	hello              // a message, by one process each
	lines              // messages, the lines of a file, by one process

	// Second runs: the same has been done once before.
	fileAgain   // compared by contents
	folderAgain // likewise
	folderQuick // compared by times
	fileGrown   // only its beginning has been sent before
)

// first is the kind of the run before it, of a second run.
func (k kind) first() (kind, bool) {
	switch k {
	case fileAgain, fileGrown:
		return file, true
	case folderAgain, folderQuick:
		return folder, true
	}
	return k, false
}

// A workload is something to be done.
type workload struct {
	name      string
	kind      kind
	count     int     // files or messages
	size      int64   // bytes of each file
	more      []piece // of which the folder has some, too
	tail      int64   // bytes by which a file has grown
	rtt       time.Duration
	rate      int64 // bits a second of a real link that loses packets; 0 for none
	counted   bool  // what crosses the wire and what the server writes is measured, not time
	encrypted bool
}

// A piece is some files of the same size.
type piece struct {
	count int
	size  int64
}

// contents is how many bytes there are in all.
func (w workload) contents() int64 {
	total := int64(w.count)*w.size + w.tail
	for _, p := range w.more {
		total += int64(p.count) * p.size
	}
	return total
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

const far, veryFar = 40 * time.Millisecond, 80 * time.Millisecond

// loss is the part of the packets that a link loses.
const loss = 0.001

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
			{name: "again-bytes", kind: folderAgain, count: 100, size: 4 * kib, more: []piece{{6, 300 * kib}, {1, 16 * mib}}, counted: true},
			{name: "again-small-bytes", kind: folderAgain, count: 100, size: 4 * kib, counted: true},
			{name: "again-big", kind: fileAgain, count: 1, size: big},
			{name: "again-small", kind: folderAgain, count: 1000, size: 4 * kib},
			{name: "quick-small", kind: folderQuick, count: 1000, size: 4 * kib},
			{name: "far-again-small", kind: folderAgain, count: 100, size: 4 * kib, rtt: veryFar},
			{name: "far-quick-small", kind: folderQuick, count: 100, size: 4 * kib, rtt: veryFar},
			{name: "link-small", kind: folder, count: 100, size: 4 * kib, rtt: veryFar, rate: 200e6},
			{name: "link-grown", kind: fileGrown, count: 1, size: 8 * mib, tail: 64 * kib, rtt: far, rate: 100e6},
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
		{name: "again-bytes", kind: folderAgain, count: 1000, size: 4 * kib, more: []piece{{60, 300 * kib}, {1, 128 * mib}}, counted: true},
		{name: "again-small-bytes", kind: folderAgain, count: 1000, size: 4 * kib, counted: true},
		{name: "again-big", kind: fileAgain, count: 1, size: big},
		{name: "again-small", kind: folderAgain, count: 10_000, size: 4 * kib},
		{name: "quick-small", kind: folderQuick, count: 10_000, size: 4 * kib},
		{name: "far-again-small", kind: folderAgain, count: 10_000, size: 4 * kib, rtt: veryFar},
		{name: "far-quick-small", kind: folderQuick, count: 10_000, size: 4 * kib, rtt: veryFar},
		{name: "link-small", kind: folder, count: 2000, size: 4 * kib, rtt: veryFar, rate: 200e6},
		{name: "link-grown", kind: fileGrown, count: 1, size: gib, tail: mib, rtt: far, rate: 100e6},
	}
}

// describe says what the work is.
func (w workload) describe() string {
	text := ""
	switch w.kind {
	case file, fileAgain, fileGrown:
		text = "one file of " + bytes(w.size)
	case folder, folderAgain, folderQuick:
		text = "a folder of " + number(w.count) + " × " + bytes(w.size)
		for _, p := range w.more {
			text += " and " + number(p.count) + " × " + bytes(p.size)
		}
	case each:
		text = number(w.count) + " × (one process, " + bytes(w.size) + ")"
	case hello:
		text = number(w.count) + " × (one process, one message)"
	case lines:
		text = number(w.count) + " messages, one process"
	}
	switch w.kind {
	case fileAgain, folderAgain:
		text += ", second run, compared by contents"
	case folderQuick:
		text += ", second run, compared by times"
	case fileGrown:
		text += ", grown by " + bytes(w.tail)
	}
	if w.encrypted {
		text += ", encrypted"
	}
	if w.rtt > 0 {
		text += ", " + w.rtt.String() + " round trip"
	}
	if w.rate > 0 {
		text += fmt.Sprintf(", a link of %d Mbit/s", w.rate/1e6)
	}
	return text
}

// files reports whether the work leaves files behind.
func (w workload) files() bool { return w.kind != hello && w.kind != lines }
