package storagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/storage"
)

// RunOffers checks that the stores which open returns also honour what the contract
// says of files that are there already: Offer, Quick, Existing, Check and CheckFolder.
func RunOffers(t *testing.T, open Open) {
	for name, test := range map[string]func(*fixture){
		"unchanged":         unchanged,
		"told":              told,
		"other contents":    otherContents,
		"grown":             grown,
		"numbered":          numbered,
		"without proofs":    withoutProofs,
		"quick":             quick,
		"existing":          existing,
		"folders to check":  foldersToCheck,
		"offered, then not": offeredThenNot,
	} {
		t.Run(name, func(t *testing.T) { test(newFixture(t, open, storage.Rename)) })
	}
}

// ofAnySize has files that a store may keep in different ways.
var ofAnySize = map[string]string{"none": "", "small": "hello", "middle": pattern(150_000, 1)}

// andLarge adds one of several parts.
func andLarge() map[string]string {
	all := maps.Clone(ofAnySize)
	all["large"] = pattern(6<<20, 2)
	return all
}

var at = time.Unix(1_000_000_000, 123_456_700)

// known is a file of which the sender can prove what it has.
func known(name, data string) storage.File {
	return storage.File{Name: name, Size: int64(len(data)), ModTime: at, Digest: Digest, Proofs: Proofs}
}

func proofOf(data string) storage.Proof {
	sum := sha256.Sum256([]byte(data))
	return storage.Proof{Digest: Proofs[0], Sum: sum[:]}
}

// keepKnown stores a file with its time.
func (f *fixture) keepKnown(name, data string) {
	f.Helper()
	file := known(name, data)
	file.Proofs = nil
	f.sendAll(file, data, name)
}

// sendAll stores a file of which nothing is offered.
func (f *fixture) sendAll(file storage.File, data, as string) {
	f.Helper()
	p := f.create(file)
	if p.Offer().Size != 0 || p.Offer().Stored {
		f.Fatalf("%s: offer %+v", file.Name, p.Offer())
	}
	f.send(p, data)
	if r, err := p.Commit(context.Background(), sumOf(data)); err != nil || r.Name != as || r.Unchanged {
		f.Fatalf("%s: receipt %+v, %v; want %s", file.Name, r, err, as)
	}
}

func (f *fixture) create(file storage.File) storage.Partial {
	f.Helper()
	p, err := f.Create(context.Background(), file)
	if err != nil {
		f.Fatalf("Create(%q): %v", file.Name, err)
	}
	return p
}

// expectUnchanged commits what was offered.
func (f *fixture) expectUnchanged(p storage.Partial, data, name string) {
	f.Helper()
	agreed, want := p.Offer().Agreed, sumOf(data)
	sum := want
	if agreed {
		sum.Digest = nil // the sender says no more
	}
	r, err := p.Commit(context.Background(), sum)
	if err != nil || !r.Unchanged || r.Name != name || r.Size != want.Size || r.Assumed {
		f.Errorf("%s: receipt %+v, %v", name, r, err)
	}
	if err == nil && !bytes.Equal(r.Digest, want.Digest) {
		f.Errorf("%s: digest %x, want %x", name, r.Digest, want.Digest)
	}
}

// expectOffer checks that all of data is offered.
func (f *fixture) expectOffer(p storage.Partial, data string, agreed bool) {
	f.Helper()
	proof := proofOf(data)
	if o := p.Offer(); o.Size != int64(len(data)) || !o.Stored || o.Agreed != agreed || o.Assumed || o.Digest != "sha256" || !bytes.Equal(o.Proof, proof.Sum) {
		f.Fatalf("offer %+v", o)
	}
}

func unchanged(f *fixture) {
	want := map[string]string{}
	for name, data := range andLarge() {
		want[name] = data
		f.keepKnown(name, data)
		if data == "" {
			continue
		}
		for _, id := range []string{"", "id"} {
			file := known(name, data)
			file.ID = id
			p := f.create(file)
			f.expectOffer(p, data, false)
			if _, err := p.ReadFrom(strings.NewReader("x")); !errors.Is(err, storage.ErrTooLong) {
				f.Errorf("%s: a byte behind all: %v", name, err)
			}
			f.expectError("Abort", p.Abort(), nil)
			p = f.create(file)
			f.expectError("Suspend", p.Suspend(), nil)
			p = f.create(file)
			f.expectOffer(p, data, false)
			f.expectUnchanged(p, data, name)
		}
	}
	f.expect(want)
}

func told(f *fixture) {
	want := map[string]string{}
	for name, data := range ofAnySize {
		want[name] = data
		f.keepKnown(name, data)
		file := known(name, data)
		file.Contents = proofOf(data)
		p := f.create(file)
		f.expectOffer(p, data, true)
		f.expectUnchanged(p, data, name)
		file.Contents = proofOf(data + "!")
		p = f.create(file)
		if o := p.Offer(); o.Agreed || o.Size != 0 {
			f.Errorf("%s: offer %+v of other contents", name, o)
		}
		f.expectError("Abort", p.Abort(), nil)
	}
	f.expect(want)
}

func otherContents(f *fixture) {
	want := map[string]string{}
	for name, data := range andLarge() {
		if data == "" {
			continue
		}
		f.keepKnown(name, data)
		other := "X" + data[1:]
		want[name], want[name+" (2)"] = data, other
		p := f.create(known(name, other))
		f.expectOffer(p, data, false)
		f.expectError("Restart", p.Restart(), nil)
		if o := p.Offer(); o.Size != 0 || o.Stored {
			f.Errorf("%s: offer after Restart %+v", name, o)
		}
		f.send(p, other)
		if r, err := p.Commit(context.Background(), sumOf(other)); err != nil || r.Name != name+" (2)" || r.Unchanged {
			f.Errorf("%s: receipt %+v, %v", name, r, err)
		}
	}
	f.expect(want)
}

// grown has files of which there is the beginning: the rest is enough, and if there is
// none, or the beginning was another one, nothing is left of the offer.
func grown(f *fixture) {
	want := map[string]string{}
	for name, data := range map[string]string{"middle": pattern(170_000, 1), "large": pattern(12<<20, 2)} {
		start, other := data[:len(data)/2+11], "X"+data[1:]
		f.keepKnown(name, start)
		want[name], want[name+" (2)"], want[name+" (3)"] = start, data, other
		for _, id := range []string{"", "id"} {
			file := known(name, data)
			file.ID = id
			p := f.create(file)
			f.expectOffer(p, start, false)
			f.expectError("Abort", p.Abort(), nil)
			p = f.create(file)
			f.expectError("Suspend", p.Suspend(), nil)
			p = f.create(file)
			if r, err := p.Commit(context.Background(), sumOf(start)); !errors.Is(err, storage.ErrMismatch) {
				f.Errorf("%s, without the rest: %+v, %v", name, r, err)
			}
		}
		for _, d := range []string{data, other} {
			p := f.create(known(name, d))
			if d == other {
				f.expectError("Restart", p.Restart(), nil)
				f.send(p, d)
			} else {
				f.expectOffer(p, start, false)
				f.send(p, d[len(start):])
			}
			if r, err := p.Commit(context.Background(), sumOf(d)); err != nil || r.Unchanged || want[r.Name] != d {
				f.Errorf("%s: receipt %+v, %v", name, r, err)
			}
		}
	}
	f.expect(want)
}

func numbered(f *fixture) {
	want := map[string]string{}
	for name, data := range ofAnySize {
		if data == "" {
			continue
		}
		file := known(name, data)
		file.Proofs = nil
		want[name], want[name+" (2)"], want[name+" (3)"] = "A"+data[1:], "B"+data[1:], "C"+data[1:]
		f.sendAll(file, want[name], name)
		f.sendAll(file, want[name+" (2)"], name+" (2)")
		f.sendAll(file, want[name+" (3)"], name+" (3)")
		for _, as := range []string{name, name + " (2)", name + " (3)"} {
			file := known(name, want[as])
			file.Contents = proofOf(want[as])
			p := f.create(file)
			f.expectOffer(p, want[as], true)
			f.expectUnchanged(p, want[as], as)
		}
		file.Proofs, file.ModTime = Proofs, at.Add(time.Hour)
		p := f.create(file) // which can be asked about one only: the latest
		f.expectOffer(p, want[name+" (3)"], false)
		f.expectUnchanged(p, want[name+" (3)"], name+" (3)")
	}
	f.expect(want)
}

func withoutProofs(f *fixture) {
	for name, data := range ofAnySize {
		f.keepKnown(name, data)
		file := known(name, data)
		file.Proofs, file.ID = nil, "id"
		p := f.create(file)
		if o := p.Offer(); o.Size != 0 {
			f.Errorf("%s: offer %+v", name, o)
		}
		f.expectError("Abort", p.Abort(), nil)
	}
}

func quick(f *fixture) {
	for name, data := range ofAnySize {
		f.keepKnown(name, data)
		file := known(name, data)
		file.Quick = true
		p := f.create(file)
		if o := p.Offer(); o.Size != file.Size || !o.Stored || !o.Agreed || !o.Assumed || len(o.Proof) > 0 {
			f.Errorf("%s: offer %+v", name, o)
		}
		if r, err := p.Commit(context.Background(), storage.Sum{Size: file.Size}); err != nil || !r.Unchanged || !r.Assumed || len(r.Digest) > 0 || r.Name != name {
			f.Errorf("%s: receipt %+v, %v", name, r, err)
		}
		file.ModTime = at.Add(time.Microsecond)
		p = f.create(file)
		if o := p.Offer(); o.Assumed {
			f.Errorf("%s: offer %+v of another time", name, o)
		}
		f.expectError("Abort", p.Abort(), nil)
		file.ModTime, file.Size = at, file.Size+1
		p = f.create(file)
		if o := p.Offer(); o.Assumed {
			f.Errorf("%s: offer %+v of another size", name, o)
		}
		f.expectError("Abort", p.Abort(), nil)
	}
}

func existing(f *fixture) {
	f.keepKnown("folder/file", "data")
	for name, data := range ofAnySize {
		f.keepKnown(name, data)
		for _, check := range []bool{false, true} {
			file := known(name, data)
			file.Existing, file.Check, file.Contents = !check, check, proofOf(data)
			f.expectUnchanged(f.create(file), data, name)
			expect := func(what string, file storage.File, want error) {
				f.Helper()
				p, err := f.Create(context.Background(), file)
				if err == nil {
					p.Abort()
				}
				if !errors.Is(err, want) {
					f.Errorf("%s, %s: %v, want %v", name, what, err, want)
				}
			}
			file.Name = "absent"
			expect("absent", file, storage.ErrAbsent)
			file.Name = "folder/absent"
			expect("absent in a folder", file, storage.ErrAbsent)
			file.Name = "absent/file"
			expect("absent in none", file, storage.ErrAbsent)
			file.Name = name + "/file"
			expect("in a file", file, storage.ErrDifferent)
			file.Name = name
			file.Contents = proofOf(data + "!")
			expect("other contents", file, storage.ErrDifferent)
			file.Size++
			expect("another size", file, storage.ErrDifferent)
			if data == "" {
				continue
			}
			file = known(name, data)
			file.Existing, file.Check = !check, check
			p := f.create(file)
			f.expectOffer(p, data, false)
			f.expectError("Restart", p.Restart(), storage.ErrDifferent)
			f.expectError("Abort", p.Abort(), nil)
		}
	}
	want := map[string]string{"folder/": "", "folder/file": "data"}
	for name, data := range ofAnySize {
		want[name] = data
	}
	f.expect(want)
}

func foldersToCheck(f *fixture) {
	checker := f.Store.(storage.FolderChecker)
	f.keep("a/b/file", "data")
	f.expectError("MakeFolder", f.MakeFolder(context.Background(), "empty", nil), nil)
	for name, want := range map[string]error{
		"a": nil, "a/b": nil, "empty": nil, "a/c": storage.ErrAbsent, "b": storage.ErrAbsent,
		"a/b/file": storage.ErrDifferent, "a/b/file/c": storage.ErrDifferent,
	} {
		if err := checker.CheckFolder(context.Background(), name); !errors.Is(err, want) {
			f.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	var bad *storage.NameError
	if err := checker.CheckFolder(context.Background(), "../a"); !errors.As(err, &bad) {
		f.Errorf("outside: %v", err)
	}
	f.expect(map[string]string{"a/": "", "a/b/": "", "a/b/file": "data", "empty/": ""})
}

// offeredThenNot has two senders for one name: what the second is offered is what the
// first has stored.
func offeredThenNot(f *fixture) {
	data := pattern(150_000, 3)
	first, second := f.create(known("a", data)), f.create(known("a", data))
	f.send(first, data)
	f.finish(first, data)
	f.send(second, data)
	r, err := second.Commit(context.Background(), sumOf(data))
	if err != nil || !r.Unchanged {
		f.Errorf("receipt %+v, %v", r, err)
	}
	third := f.create(known("a", data))
	f.expectOffer(third, data, false)
	f.expectUnchanged(third, data, r.Name)
	if got, err := fs.ReadFile(f.look(), r.Name); err != nil || string(got) != data {
		f.Errorf("stored %d bytes, %v", len(got), err)
	}
}
