// Package verify tells whether what a store keeps is still what was received: it reads all
// files and compares them with what the store has noted of each.
package verify

import (
	"bytes"
	"context"
	"errors"
	"hash"
	"io"
	"io/fs"
	"reflect"
	"sync"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// A Verdict is what is known of a file.
type Verdict string

const (
	Intact     Verdict = "intact"     // it has the contents that were received
	Damaged    Verdict = "damaged"    // it has others, or cannot be read, and nobody has written to it
	Changed    Verdict = "changed"    // it has others, and was written to since
	Different  Verdict = "different"  // it has others, and nobody can tell why
	NoDigest   Verdict = "no-digest"  // there is nothing to compare it with
	Unreadable Verdict = "unreadable" // for want of permission, or of an answer
)

// A Result is what came of one file.
type Result struct {
	Name    string
	Size    int64 // bytes that it has, as far as they could be read
	Verdict Verdict
	Digest  string // the name of the one that tells
	Sum     []byte // of what it has
	Noted   storage.Note
	Err     error // why it could not be read
}

// Options are the choices of [Run].
type Options struct {
	// Files is how many files are read at once, and Large how many of at least
	// LargeSize: a disk that has to seek between several gets nowhere.
	Files, Large int
	// Limit is called on everything that is read; it may slow it down.
	Limit func(io.Reader) io.Reader
	// Meter is told of the progress.
	Meter *terminal.Meter
}

// LargeSize is the size from which on a file is large.
const LargeSize = 16 << 20

const (
	// maxAhead is how many files are found before they are read: so far ahead the
	// progress can tell how many there are.
	maxAhead = 10_000
	// maxTries bounds how often a file is read again that changes meanwhile, or
	// that cannot be reached.
	maxTries   = 3
	bufferSize = 256 << 10
)

// Run calls report with what came of each file, one after the other and in any order, and
// returns an error if not all could be found. Files that vanish meanwhile have no result.
func Run(ctx context.Context, r storage.Reader, o Options, report func(Result)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found := make(chan storage.Found, maxAhead)
	var walkErr error
	var all sync.WaitGroup
	all.Go(func() {
		defer close(found)
		defer o.Meter.FoundAll()
		walkErr = r.Walk(ctx, func(f storage.Found) error {
			select {
			case found <- f:
				o.Meter.Find()
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	v := &verifier{Reader: r, Options: o, large: make(chan struct{}, o.Large)}
	var mu sync.Mutex
	for range o.Files {
		all.Go(func() {
			buffer := make([]byte, bufferSize)
			for f := range found {
				result, ok := v.verify(ctx, f, buffer)
				if ctx.Err() != nil {
					return
				}
				o.Meter.Tell()
				if ok {
					mu.Lock()
					report(result)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return walkErr
}

type verifier struct {
	storage.Reader
	Options
	large chan struct{} // has an element for each large file that is read
}

// verify tells of one file, unless it is not there any more.
func (v *verifier) verify(ctx context.Context, f storage.Found, buffer []byte) (result Result, ok bool) {
	if f.Size >= LargeSize {
		select {
		case v.large <- struct{}{}:
			defer func() { <-v.large }()
		case <-ctx.Done():
			return Result{}, false
		}
	}
	err := f.Err
	for range maxTries {
		steady := true
		if f.Err == nil {
			result, steady, err = v.read(ctx, f, buffer)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist), ctx.Err() != nil:
			return Result{}, false
		case err == nil && steady:
			return result, true
		case err != nil && !errors.Is(err, storage.ErrDegraded):
			return Result{Name: f.Name, Size: result.Size, Verdict: verdictOf(err), Err: err}, true
		}
	}
	if err != nil {
		return Result{Name: f.Name, Size: result.Size, Verdict: Unreadable, Err: err}, true
	}
	result.Verdict = Changed // it still changes
	return result, true
}

// verdictOf says what it means that a file cannot be read.
func verdictOf(err error) Verdict {
	if errors.Is(err, fs.ErrPermission) {
		return Unreadable
	}
	return Damaged
}

// read reads a file and compares it with what is noted of it. Steady is not set if it has
// others contents because it was written to meanwhile.
func (v *verifier) read(ctx context.Context, f storage.Found, buffer []byte) (result Result, steady bool, err error) {
	result.Name = f.Name
	kept, err := v.Open(ctx, f.Name)
	if err != nil {
		return result, false, err
	}
	source := v.Meter.Measure(f.Name, f.Size, kept, nil)
	defer source.Close()
	notes, err := kept.Notes(ctx)
	if err != nil {
		return result, false, err
	}
	sums := make(map[string]hash.Hash)
	for _, note := range notes {
		if digest, known := wire.DigestByName(note.Digest); known && note.Digest != "" {
			sums[note.Digest] = digest.New()
		}
	}
	if result.Size, err = v.sum(ctx, source, sums, buffer); err != nil {
		return result, false, err
	}
	result.judge(sums, notes)
	if result.Verdict == Intact || result.Verdict == NoDigest {
		return result, true, nil
	}
	now, err := kept.Notes(ctx)
	return result, reflect.DeepEqual(notes, now), err
}

// sum adds all of r to sums.
func (v *verifier) sum(ctx context.Context, r io.Reader, sums map[string]hash.Hash, buffer []byte) (n int64, err error) {
	r = v.Limit(r)
	for {
		k, err := r.Read(buffer)
		for _, sum := range sums {
			sum.Write(buffer[:k])
		}
		n += int64(k)
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		case ctx.Err() != nil:
			return n, ctx.Err()
		}
	}
}

// judge sets the verdict on contents that have these digests. What is noted of a file that
// nobody has written to must be so. Of all else it is enough that some note is: they may be
// of different times.
func (r *Result) judge(sums map[string]hash.Hash, notes []storage.Note) {
	r.Verdict = NoDigest
	for _, note := range notes {
		h := sums[note.Digest]
		if h == nil {
			continue
		}
		sum := h.Sum(nil)
		verdict := Intact
		if !bytes.Equal(sum, note.Sum) {
			switch note.Since {
			case storage.Untouched:
				verdict = Damaged
			case storage.Changed:
				verdict = Changed
			default:
				verdict = Different
			}
		}
		if weight[verdict] > weight[r.Verdict] {
			r.Verdict, r.Digest, r.Sum, r.Noted = verdict, note.Digest, sum, note
		}
	}
}

// weight says which verdict counts if several notes do not agree.
var weight = map[Verdict]int{NoDigest: 0, Changed: 1, Different: 2, Intact: 3, Damaged: 4}
