package terminal

import (
	"errors"
	"io"
	"sync"
	"time"
)

// A Meter knows how far long work has come. Its zero value, before begin, does
// nothing. Its methods may be called by any goroutine.
type Meter struct {
	mu     sync.Mutex
	active bool
	things string // what it counts, in the plural
	found  int    // things to be done, as far as is known
	all    bool   // whether no more will be found
	done   int    // things whose outcome is known
	sent   int64  // bytes, over all things and tries
	reads  bool   // and does not send
	rate   rate
	now    *metered // what is being sent, or was last; nil if nothing is

	// While the server is waited for, to try again.
	why         string
	next, until time.Time
}

// begin starts the meter again, for so many things of a kind, or for those to be
// found if that is zero.
func (m *Meter) begin(things string, count int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.active, m.things = true, things
	m.found, m.all, m.done, m.sent = count, count > 0, 0, 0
	m.rate, m.now, m.why, m.reads = rate{}, nil, "", false
}

// reading notes that what is measured is not sent.
func (m *Meter) reading() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads = true
}

// end stops the meter.
func (m *Meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.active, m.now = false, nil
}

// Find notes that there is one more thing to be done.
func (m *Meter) Find() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.found++
}

// FoundAll notes that there are no more.
func (m *Meter) FoundAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = true
}

// Tell notes that the outcome of one thing is known.
func (m *Meter) Tell() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done++
}

// Counts returns how many things are done, how many were found, and how many bytes were
// sent.
func (m *Meter) Counts() (done, found int, sent int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done, m.found, m.sent
}

// Wait notes that nothing is being sent, and why, until the next source is measured:
// the server is tried again at a time, and not after another.
func (m *Meter) Wait(why string, next, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.why, m.next, m.until = why, next, until
}

// Measure measures how much is sent of a source, of size bytes or, if that is
// negative, of as many as there are. It must be closed when all is sent.
// resumed, which is nil if it cannot be resumed, returns how much the server has of it
// from before: so much is read to be compared, and not sent. It is called by Read and
// Close.
func (m *Meter) Measure(name string, size int64, r io.ReadCloser, resumed func() int64) io.ReadCloser {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.active {
		return r
	}
	m.why = ""
	m.now = &metered{source: r, m: m, from: resumed, name: name, size: size, since: time.Now()}
	return m.now
}

// A metered source is one whose reads are counted.
type metered struct {
	source io.ReadCloser
	m      *Meter
	from   func() int64
	name   string
	size   int64
	since  time.Time

	// Under m.mu.
	read    int64 // bytes so far
	last    int64 // of them by the last Read
	resumed int64 // of them not to be sent
	sent    int64 // of them sent
	ended   bool  // all was read
	closed  bool
}

// Read reads, and counts as sent what was read, except by the last Read: that was
// given out to be sent while this one goes on, as package wire does it.
func (s *metered) Read(p []byte) (int, error) {
	s.count(func() { s.grow(s.read - s.last) })
	n, err := s.source.Read(p)
	s.count(func() { s.read, s.last, s.ended = s.read+int64(n), int64(n), err == io.EOF })
	return n, err
}

// Seek begins again: nothing is sent before.
func (s *metered) Seek(offset int64, whence int) (int64, error) {
	seeker, ok := s.source.(io.Seeker)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	at, err := seeker.Seek(offset, whence)
	s.count(func() { s.read, s.last, s.resumed, s.sent = at, 0, 0, 0 })
	return at, err
}

// Close closes the source, of which all is sent.
func (s *metered) Close() error {
	s.count(func() {
		s.grow(s.read)
		s.closed = true
	})
	return s.source.Close()
}

func (s *metered) count(change func()) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	change()
}

// grow notes that the first bytes of the source, up to end, were sent or need
// not be.
func (s *metered) grow(end int64) {
	if s.from != nil {
		s.resumed = s.from()
	}
	more := end - s.resumed - s.sent
	switch {
	case more > 0:
		s.sent += more
		s.m.sent += more
		s.m.rate.add(time.Now(), s.m.sent)
	case s.m.sent == 0:
		// What was before, such as comparing, is no part of the rate.
		s.m.rate.begin(time.Now())
	}
}

// A rate is taken over the last seconds.
type rate struct {
	samples []sample // oldest first
}

// A sample is how many bytes there were once they had grown.
type sample struct {
	at    time.Time
	bytes int64
}

const (
	// rateWindow is the time over which a rate is taken.
	rateWindow = 5 * time.Second
	// sampleEvery is the time between samples; only the newest may be closer.
	sampleEvery = 200 * time.Millisecond
	// minSamples are taken also if that is longer: on a slow connection bytes
	// grow only now and then.
	minSamples = 3
)

// begin begins again, without bytes.
func (r *rate) begin(now time.Time) {
	r.samples = append(r.samples[:0], sample{now, 0})
}

// add notes that the bytes have just grown.
func (r *rate) add(now time.Time, bytes int64) {
	if n := len(r.samples); n >= 2 && now.Sub(r.samples[n-2].at) < sampleEvery {
		r.samples = r.samples[:n-1]
	}
	r.samples = append(r.samples, sample{now, bytes})
	for len(r.samples) > minSamples && now.Sub(r.samples[1].at) >= rateWindow {
		r.samples = r.samples[1:]
	}
}

// perSecond returns the rate in bytes per second, and 0 if it is not known.
func (r *rate) perSecond(now time.Time) float64 {
	n := len(r.samples) - 1
	if n < 1 {
		return 0
	}
	first, last := r.samples[0], r.samples[n]
	// Where bytes grow in steps, the next is not late before its time.
	step := last.at.Sub(first.at) / time.Duration(n)
	end := last.at
	if late := now.Add(-step); late.After(end) {
		end = late
	}
	return float64(last.bytes-first.bytes) / max(end.Sub(first.at).Seconds(), 0.1)
}
