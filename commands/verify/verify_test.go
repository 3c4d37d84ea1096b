package verify_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/verify"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// A fakeReader has files that fail as they are told to.
type fakeReader map[string]*fakeFile

type fakeFile struct {
	data    string
	size    int64 // that it is said to have
	notes   func(read bool) ([]storage.Note, error)
	foundAs error // as a folder
	opens   func(n int) error
	reads   func(n int) error // the n-th time that it is opened, at its end
	opened  int
	reading func()
}

func (r fakeReader) Close() error { return nil }

func (r fakeReader) Walk(_ context.Context, do func(storage.Found) error) error {
	for _, name := range slices.Sorted(maps.Keys(r)) {
		f := r[name]
		if err := do(storage.Found{Name: name, Size: max(f.size, int64(len(f.data))), Err: f.foundAs}); err != nil {
			return err
		}
	}
	return nil
}

func (r fakeReader) Open(_ context.Context, name string) (storage.Kept, error) {
	f := r[name]
	f.opened++
	if f.opens != nil {
		if err := f.opens(f.opened); err != nil {
			return nil, err
		}
	}
	return &fakeKept{fakeFile: f, n: f.opened, Reader: strings.NewReader(f.data)}, nil
}

type fakeKept struct {
	*fakeFile
	*strings.Reader
	n    int
	read bool
}

func (k *fakeKept) Read(b []byte) (int, error) {
	if k.reading != nil {
		k.reading()
	}
	n, err := k.Reader.Read(b)
	k.read = true
	if err == io.EOF && k.reads != nil {
		err = k.reads(k.n)
	}
	return n, err
}

func (k *fakeKept) Close() error { return nil }

func (k *fakeKept) Notes(context.Context) ([]storage.Note, error) {
	if k.notes == nil {
		return nil, nil
	}
	return k.notes(k.read)
}

func sumOf(digest, data string) []byte {
	d, _ := wire.DigestByName(digest)
	h := d.New()
	io.WriteString(h, data)
	return h.Sum(nil)
}

// note is one of contents that a file has had.
func note(digest, data string, since storage.Since) storage.Note {
	return storage.Note{Digest: digest, Sum: sumOf(digest, data), Size: int64(len(data)), Since: since}
}

func always(notes ...storage.Note) func(bool) ([]storage.Note, error) {
	return func(bool) ([]storage.Note, error) { return notes, nil }
}

func run(t *testing.T, r storage.Reader) (map[string]verify.Verdict, error) {
	t.Helper()
	got := map[string]verify.Verdict{}
	err := verify.Run(t.Context(), r, verify.Options{
		Files: 3, Large: 1, Meter: new(terminal.Meter), Limit: func(r io.Reader) io.Reader { return r },
	}, func(r verify.Result) {
		if _, twice := got[r.Name]; twice {
			t.Errorf("%s is told twice", r.Name)
		}
		got[r.Name] = r.Verdict
	})
	return got, err
}

// TestVerdicts has one file for each.
func TestVerdicts(t *testing.T) {
	const crc, sha, now, was = "crc64nvme", "sha256", "now", "was"
	nth := func(errs ...error) func(int) error {
		return func(n int) error { return errs[min(n, len(errs))-1] }
	}
	degraded := fmt.Errorf("%w: because", storage.ErrDegraded)
	files := map[verify.Verdict]fakeReader{
		verify.Intact: {
			"untouched":             {data: now, notes: always(note(crc, now, storage.Untouched))},
			"empty":                 {notes: always(note(crc, "", storage.Untouched))},
			"another time":          {data: now, notes: always(note(crc, now, storage.Changed))},
			"an old note":           {data: now, notes: always(note(crc, now, storage.Unknown))},
			"an older note as well": {data: now, notes: always(note(sha, was, storage.Changed), note(crc, now, storage.Untouched))},
			"a note of later":       {data: now, notes: always(note(crc, was, storage.Changed), note(sha, now, storage.Changed))},
			"an unknown digest, too": {data: now, notes: always(
				storage.Note{Digest: "md6", Sum: []byte{1}, Since: storage.Untouched}, note(crc, now, storage.Untouched))},
			"cannot be reached at first": {data: now, notes: always(note(crc, now, storage.Untouched)), opens: nth(degraded, nil)},
			"breaks off at first":        {data: now, notes: always(note(crc, now, storage.Untouched)), reads: nth(degraded, degraded, io.EOF)},
		},
		verify.Damaged: {
			"other contents":        {data: now, notes: always(note(crc, was, storage.Untouched))},
			"of two digests":        {data: now, notes: always(note(crc, now, storage.Untouched), note(sha, was, storage.Untouched))},
			"cannot be read":        {data: now, notes: always(note(crc, now, storage.Untouched)), reads: nth(syscall.EIO)},
			"cannot be opened":      {opens: nth(syscall.EIO)},
			"notes cannot be read":  {notes: func(bool) ([]storage.Note, error) { return nil, syscall.EIO }},
			"folder cannot be read": {foundAs: syscall.EIO},
		},
		verify.Changed: {
			"other contents": {data: now, notes: always(note(crc, was, storage.Changed))},
			"while it is read": {data: now, notes: func(read bool) ([]storage.Note, error) {
				return []storage.Note{note(crc, was, map[bool]storage.Since{false: storage.Untouched, true: storage.Changed}[read])}, nil
			}},
		},
		verify.Different: {
			"an old note": {data: now, notes: always(note(crc, was, storage.Unknown))},
		},
		verify.NoDigest: {
			"no note":           {data: now},
			"an unknown digest": {data: now, notes: always(storage.Note{Digest: "md6", Sum: []byte{1}, Since: storage.Untouched})},
			"no digest's name":  {data: now, notes: always(storage.Note{Sum: sumOf(crc, now), Since: storage.Untouched})},
		},
		verify.Unreadable: {
			"no right":             {opens: nth(fs.ErrPermission)},
			"no right to a folder": {foundAs: fs.ErrPermission},
			"cannot be reached":    {opens: nth(degraded)},
			"breaks off":           {data: now, notes: always(note(crc, now, storage.Untouched)), reads: nth(degraded)},
		},
		"": {
			"vanishes":            {opens: nth(fs.ErrNotExist)},
			"vanishes after that": {data: now, opens: nth(nil, fs.ErrNotExist), reads: nth(degraded)},
		},
	}
	all, want := fakeReader{}, map[string]verify.Verdict{}
	for verdict, list := range files {
		for name, f := range list {
			name = string(verdict) + ": " + name
			all[name] = f
			if verdict != "" {
				want[name] = verdict
			}
		}
	}
	got, err := run(t, all)
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

// TestEveryBit flips each bit of some contents.
func TestEveryBit(t *testing.T) {
	data := []byte(strings.Repeat("some contents\n", 10))
	sum := sha256.Sum256(data)
	for _, n := range []storage.Note{note("crc64nvme", string(data), storage.Untouched), {Digest: "sha256", Sum: sum[:], Since: storage.Untouched}} {
		all := fakeReader{}
		for i := range len(data) * 8 {
			data[i/8] ^= 1 << (i % 8)
			all[fmt.Sprint(i)] = &fakeFile{data: string(data), notes: always(n)}
			data[i/8] ^= 1 << (i % 8)
		}
		got, err := run(t, all)
		if err != nil || len(got) != len(all) {
			t.Fatal(err, len(got))
		}
		for name, verdict := range got {
			if verdict != verify.Damaged {
				t.Errorf("%s, bit %s: %s", n.Digest, name, verdict)
			}
		}
	}
}

// TestFewAtOnce: large files are read one after the other, others together.
func TestFewAtOnce(t *testing.T) {
	for _, size := range []int64{verify.LargeSize - 1, verify.LargeSize} {
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int64
			all := fakeReader{}
			for i := range 10 {
				f := &fakeFile{size: size}
				f.reading = func() {
					most.Store(max(most.Load(), now.Add(1)))
					time.Sleep(time.Second)
					now.Add(-1)
				}
				all[fmt.Sprint(i)] = f
			}
			if _, err := run(t, all); err != nil {
				t.Error(err)
			}
			want := int64(3)
			if size >= verify.LargeSize {
				want = 1
			}
			if most.Load() != want {
				t.Errorf("of %d bytes %d at once, want %d", size, most.Load(), want)
			}
		})
	}
}

// TestStops: when the context ends nothing more is read, and nothing goes on.
func TestStops(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	why := errors.New("why")
	var once sync.Once
	all := fakeReader{}
	for i := range 50_000 {
		all[fmt.Sprint(i)] = &fakeFile{data: "x", reading: func() { once.Do(func() { stop(why) }) }}
	}
	n := 0
	err := verify.Run(ctx, all, verify.Options{Files: 2, Large: 1, Meter: new(terminal.Meter), Limit: func(r io.Reader) io.Reader { return r }},
		func(verify.Result) { n++ })
	if !errors.Is(err, why) || n > 10 {
		t.Errorf("%v after %d files", err, n)
	}
}
