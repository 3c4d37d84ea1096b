package storagetest

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing/iotest"

	"github.com/labnet/labnet/storage"
)

func resumes(f *fixture) {
	p := f.start(upload("id", 5), "")
	f.send(p, "he")
	f.expectError("Suspend", p.Suspend(), nil)
	f.expect(map[string]string{})
	for what, err := range map[string]error{"Suspend": p.Suspend(), "Abort": p.Abort()} {
		f.expectError(what+" of what was suspended", err, nil)
	}
	if _, err := p.ReadFrom(strings.NewReader("x")); err == nil {
		f.Error("ReadFrom after Suspend succeeded")
	}
	if err := p.Restart(); err == nil {
		f.Error("Restart after Suspend succeeded")
	}
	if _, err := p.Commit(context.Background(), sumOf("he")); err == nil {
		f.Error("Commit after Suspend succeeded")
	}

	p = f.start(upload("id", 5), "he")
	f.expectError("Suspend", p.Suspend(), nil) // without a new byte
	p = f.start(upload("id", 5), "he")
	f.send(p, "llo")
	f.expectError("Suspend", p.Suspend(), nil) // without anything missing
	p = f.start(upload("id", 5), "hello")
	f.finish(p, "hello")
	f.expectError("Suspend", p.Suspend(), nil)
	f.expect(map[string]string{"a": "hello"})
	f.expectError("Abort", f.start(upload("id", 5), "").Abort(), nil)

	// The name is the later one's.
	p = f.start(upload("id", 5), "")
	f.send(p, "he")
	f.expectError("Suspend", p.Suspend(), nil)
	file := upload("id", 5)
	file.Name = "folder/b"
	p = f.start(file, "he")
	f.send(p, "llo")
	f.finish(p, "hello")
	f.expect(map[string]string{"a": "hello", "folder/": "", "folder/b": "hello"})
}

func restarts(f *fixture) {
	p := f.start(upload("id", 5), "")
	f.send(p, "he")
	f.expectError("Suspend", p.Suspend(), nil)
	p = f.start(upload("id", 5), "he")
	f.expectError("Restart", p.Restart(), nil)
	if got := p.Offer(); got.Size != 0 {
		f.Errorf("Offer after Restart: %+v", got)
	}
	f.send(p, "HE")
	f.expectError("Suspend", p.Suspend(), nil)
	p = f.start(upload("id", 5), "HE")
	f.send(p, "LLO")
	f.finish(p, "HELLO")
	f.expect(map[string]string{"a": "HELLO"})

	for _, id := range []string{"", "other"} {
		p := f.start(upload(id, 5), "")
		f.send(p, "wrong")
		f.expectError("Restart", p.Restart(), nil)
		f.expectError("second Restart", p.Restart(), nil)
		f.send(p, "HELLO")
		f.finish(p, "HELLO")
	}
	p = f.start(upload("id", 5), "")
	f.send(p, "HELL")
	f.expectError("Restart", p.Restart(), nil)
	f.expectError("Suspend", p.Suspend(), nil)
	f.expectError("Abort", f.start(upload("id", 5), "").Abort(), nil)
	f.expect(map[string]string{"a": "HELLO"})
}

func resumesWithAnotherDigest(f *fixture) {
	p := f.start(upload("id", 5), "")
	f.send(p, "he")
	f.expectError("Suspend", p.Suspend(), nil)
	file := upload("id", 5)
	file.Digest = storage.Digest{Name: "crc32", New: func() hash.Hash { return crc32.NewIEEE() }}
	p = f.start(file, "he")
	f.send(p, "llo")
	h := file.Digest.New()
	h.Write([]byte("hello"))
	if _, err := p.Commit(context.Background(), storage.Sum{Size: 5, Digest: h.Sum(nil)}); err != nil {
		f.Error(err)
	}
	f.expect(map[string]string{"a": "hello"})
}

func inUse(f *fixture) {
	ends := map[string]func(storage.Partial) error{
		"abort":   storage.Partial.Abort,
		"suspend": storage.Partial.Suspend,
		"commit": func(p storage.Partial) error {
			_, err := p.Commit(context.Background(), sumOf("he"))
			return err
		},
		"failed commit": func(p storage.Partial) error {
			if _, err := p.Commit(context.Background(), sumOf("HE")); !errors.Is(err, storage.ErrMismatch) {
				return err
			}
			return nil
		},
	}
	for what, end := range ends {
		p := f.start(upload(what, 2), "")
		f.send(p, "he")
		for range 2 {
			_, err := f.Create(context.Background(), upload(what, 2))
			f.expectError("Create while in progress", err, storage.ErrInUse)
		}
		other := f.start(upload("another", 2), "")
		f.expectError(what, end(p), nil)
		if what == "suspend" {
			p = f.start(upload(what, 2), "he")
		} else {
			p = f.start(upload(what, 2), "")
		}
		f.expectError("Abort", errors.Join(p.Abort(), other.Abort()), nil)
	}
	// Without an ID every upload is its own.
	one, two := f.start(upload("", 2), ""), f.start(upload("", 2), "")
	f.expectError("Abort", errors.Join(one.Abort(), two.Abort()), nil)
	// A name that is refused does not keep the ID.
	file := upload("id", 2)
	file.Name = "../a"
	if _, err := f.Create(context.Background(), file); err == nil {
		f.Error("Create of a hostile name succeeded")
	}
	f.expectError("Abort", f.start(upload("id", 2), "").Abort(), nil)
}

// What no upload can continue with is not kept.
func beginsAnew(f *fixture) {
	without := func(change func(*storage.File)) storage.File {
		file := upload("id", 5)
		change(&file)
		return file
	}
	noID := without(func(f *storage.File) { f.ID = "" })
	noSize := without(func(f *storage.File) { f.Size = -1 })
	noDigest := without(func(f *storage.File) { f.Digest = storage.Digest{} })
	noProof := without(func(f *storage.File) { f.Proofs = nil })
	shorter := without(func(f *storage.File) { f.Size = 1 })
	for what, test := range map[string]struct{ first, second storage.File }{
		"no ID":           {noID, noID},
		"no ID first":     {noID, upload("id", 5)},
		"no ID second":    {upload("id", 5), noID},
		"another ID":      {upload("id", 5), upload("ID", 5)},
		"no size":         {noSize, noSize},
		"no size first":   {noSize, upload("id", 5)},
		"no size second":  {upload("id", 5), noSize},
		"no digest":       {noDigest, noDigest},
		"no digest first": {noDigest, upload("id", 5)},
		"no digest then":  {upload("id", 5), noDigest},
		"no proof":        {noProof, noProof},
		"no proof first":  {noProof, upload("id", 5)},
		"no proof then":   {upload("id", 5), noProof},
		"shorter":         {upload("id", 5), shorter},
	} {
		p := f.start(test.first, "")
		f.send(p, "he")
		f.expectError(what+": Suspend", p.Suspend(), nil)
		p = f.start(test.second, "")
		f.send(p, "H")
		if test.second.Size == 1 {
			f.finish(p, "H")
		} else {
			f.expectError(what+": Abort", p.Abort(), nil)
		}
		p = f.start(upload("id", 5), map[bool]string{true: "he"}[test.second.ID != "id" && test.first.ID == "id"])
		f.expectError(what+": Abort", p.Abort(), nil)
	}

	// What is bad goes.
	p := f.start(upload("id", 5), "")
	f.send(p, "hello")
	_, err := p.Commit(context.Background(), sumOf("HELLO"))
	f.expectError("Commit", err, storage.ErrMismatch)
	p = f.start(upload("id", 5), "")
	_, err = p.ReadFrom(strings.NewReader("hello!"))
	f.expectError("ReadFrom", err, storage.ErrTooLong)
	f.expectError("Restart", p.Restart(), storage.ErrTooLong)
	f.expectError("Suspend", p.Suspend(), nil)
	p = f.start(upload("id", 5), "")
	f.send(p, "hello")
	f.expectError("Abort", p.Abort(), nil)
	f.finish(f.start(upload("id", 0), ""), "")
}

func resumeIsCancelled(f *fixture) {
	p := f.start(upload("id", 5), "")
	f.send(p, "he")
	f.expectError("Suspend", p.Suspend(), nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := f.Create(ctx, upload("id", 5))
	f.expectError("Create", err, context.Canceled)
	f.expectError("Abort", f.start(upload("id", 5), "he").Abort(), nil)
}

// anyID tries IDs that would be harmful as names.
func anyID(f *fixture) {
	ids := []string{
		"../../escape", "/etc/passwd", "lock", ".", "a/b", "A/b", "a\x00b", "\xff",
		strings.Repeat("long", 10_000), strings.Repeat("long", 10_000) + "er",
	}
	for i, id := range ids {
		p := f.start(upload(id, 10), "")
		f.send(p, fmt.Sprint(i))
		f.expectError("Suspend", p.Suspend(), nil)
	}
	f.expect(map[string]string{})
	for i, id := range ids {
		f.expectError("Abort", f.start(upload(id, 10), fmt.Sprint(i)).Abort(), nil)
	}
}

// owners give the same ID to different uploads, and each has its own left.
func owners(f *fixture) {
	file := func(owner, id string) storage.File {
		u := upload(id, 10)
		u.Owner = owner
		return u
	}
	names := []string{"", "alice", "bob", "alice\x00id"}
	for i, owner := range names {
		for _, id := range []string{"id", "id\x00id"} {
			p := f.start(file(owner, id), "")
			f.send(p, fmt.Sprint(i, id))
			f.expectError("Suspend", p.Suspend(), nil)
		}
	}
	left := func(owner, id string, want storage.Usage) {
		f.Helper()
		if got := f.Store.(storage.Meter).Left(file(owner, id)); got != want {
			f.Errorf("%q has left %+v besides %q, want %+v", owner, got, id, want)
		}
	}
	for i, owner := range names[1:] {
		left(owner, "", storage.Usage{Bytes: 9, Files: 2})
		left(owner, "id", storage.Usage{Bytes: 6, Files: 1})
		left(owner, "other", storage.Usage{Bytes: 9, Files: 2})
		p := f.start(file(owner, "id"), fmt.Sprint(i+1, "id"))
		left(owner, "", storage.Usage{Bytes: 6, Files: 1})
		f.expectError("Abort", p.Abort(), nil)
	}
	left("carol", "id", storage.Usage{})
	f.expectError("Abort", f.start(file("", "id"), "0id").Abort(), nil)
	left("alice", "", storage.Usage{Bytes: 6, Files: 1})
	for i, owner := range names {
		f.expectError("Abort", f.start(file(owner, "id\x00id"), fmt.Sprint(i, "id\x00id")).Abort(), nil)
		left(owner, "", storage.Usage{})
	}
}

// interruptedAnywhere sends files in random pieces, interrupted and begun again
// at random.
func interruptedAnywhere(f *fixture) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		data := pattern(random.IntN(1<<uint(1+random.IntN(18))), byte(i))
		file := upload(fmt.Sprint("id ", i), len(data))
		file.Name = fmt.Sprint(i)
		p := f.start(file, "")
		at := 0
		for at < len(data) || random.IntN(2) == 0 {
			next := at + random.IntN(len(data)-at+1)
			switch random.IntN(10) {
			case 0:
				f.expectError("Restart", p.Restart(), nil)
				at = 0
			case 1, 2:
				f.expectError("Suspend", p.Suspend(), nil)
				p = f.start(file, data[:at])
			case 3:
				broken := io.MultiReader(strings.NewReader(data[at:next]), iotest.ErrReader(io.ErrUnexpectedEOF))
				n, err := p.ReadFrom(broken)
				f.expectError("ReadFrom", err, io.ErrUnexpectedEOF)
				at += int(n)
				f.expectError("Suspend", p.Suspend(), nil)
				p = f.start(file, data[:at])
			case 4:
				f.expectError("Abort", p.Abort(), nil)
				p = f.start(file, "")
				at = 0
			default:
				f.send(p, data[at:next])
				at = next
			}
		}
		f.finish(p, data)
		if f.visible()[file.Name] != data {
			f.Fatalf("file %d differs", i)
		}
	}
}
