// Package storagetest checks stores against the contract of package storage
// and has one in memory for the tests of others.
package storagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
)

// Open opens an empty store that treats names that are taken as c says. The
// function that it returns gives access to what is visible in the store at the
// time of the call; a top-level folder called .labnet is not looked at. Names are
// those of [storage.Native].
// The store is closed by the test.
type Open func(t *testing.T, c storage.Conflict) (storage.Store, func() fs.FS)

// Run checks that the stores which open returns honour the contract.
func Run(t *testing.T, open Open) {
	tests := map[string]func(*fixture){
		"hostile names":          hostileNames,
		"native names":           nativeNames,
		"random names":           randomNames,
		"in a folder":            inAFolder,
		"usage":                  usage,
		"sizes":                  sizes,
		"one byte at a time":     oneByteAtATime,
		"appends":                appends,
		"mismatch":               mismatch,
		"too long":               tooLong,
		"invisible until commit": invisibleUntilCommit,
		"reader's error":         readersError,
		"cancelled":              cancelled,
		"metadata":               metadata,
		"permissions":            permissions,
		"times":                  times,
		"folders":                folders,
		"collisions":             collisions,
		"rename":                 renames,
		"many at once":           manyAtOnce,
		"same at once":           sameAtOnce,
		"folders at once":        foldersAtOnce,
		"close":                  closes,

		"resume":                     resumes,
		"restart":                    restarts,
		"resume with another digest": resumesWithAnotherDigest,
		"in use":                     inUse,
		"begin anew":                 beginsAnew,
		"resume is cancelled":        resumeIsCancelled,
		"any ID":                     anyID,
		"owners":                     owners,
		"interrupted anywhere":       interruptedAnywhere,
		"make folders":               makesFolders,
		"folders and files at once":  foldersAndFilesAtOnce,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(newFixture(t, open, storage.Rename)) })
	}
	t.Run("replace", func(t *testing.T) { replaces(newFixture(t, open, storage.Replace)) })
	t.Run("refuse", func(t *testing.T) { refuses(newFixture(t, open, storage.Refuse)) })
}

// Digest is the one that the suite uses: with -race, one that is not in assembly would
// take most of its time.
var Digest = storage.Digest{
	Name: "crc32c",
	New:  func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
}

// Proofs are those that the suite uses.
var Proofs = []storage.Digest{{Name: "sha256", New: sha256.New}}

func sumOf(data string) storage.Sum {
	h := Digest.New()
	io.WriteString(h, data)
	return storage.Sum{Size: int64(len(data)), Digest: h.Sum(nil)}
}

// A fixture is a store under test and a way to look at it.
type fixture struct {
	*testing.T
	storage.Store
	look func() fs.FS
}

func newFixture(t *testing.T, open Open, c storage.Conflict) *fixture {
	store, look := open(t, c)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return &fixture{t, store, look}
}

// begin creates a file of which all but the contents is known.
func (f *fixture) begin(name string, size int64) storage.Partial {
	f.Helper()
	p, err := f.Create(context.Background(), storage.File{Name: name, Size: size, Digest: Digest})
	if err != nil {
		f.Fatalf("Create(%q): %v", name, err)
	}
	return p
}

// put stores a file by all the rules.
func (f *fixture) put(name, data string) (storage.Receipt, error) {
	p, err := f.Create(context.Background(),
		storage.File{Name: name, Size: int64(len(data)), Digest: Digest})
	if err != nil {
		return storage.Receipt{}, err
	}
	if n, err := p.ReadFrom(strings.NewReader(data)); err != nil || n != int64(len(data)) {
		return storage.Receipt{}, fmt.Errorf("ReadFrom = %d, %w", n, errors.Join(err, p.Abort()))
	}
	return p.Commit(context.Background(), sumOf(data))
}

// keep is put that must succeed.
func (f *fixture) keep(name, data string) storage.Receipt {
	f.Helper()
	r, err := f.put(name, data)
	if err != nil {
		f.Fatalf("put(%q): %v", name, err)
	}
	return r
}

// upload is a file called "a" that can be resumed.
func upload(id string, size int) storage.File {
	return storage.File{Name: "a", ID: id, Size: int64(size), Digest: Digest, Proofs: Proofs}
}

// start creates a file and checks what it continues with.
func (f *fixture) start(file storage.File, resumed string) storage.Partial {
	f.Helper()
	p, err := f.Create(context.Background(), file)
	if err != nil {
		f.Fatalf("Create: %v", err)
	}
	if p.Offer().Stored { // of the file that has the name
		f.expectError("Restart", p.Restart(), nil)
	}
	want := storage.Offer{}
	if resumed != "" {
		proof := sha256.Sum256([]byte(resumed))
		want = storage.Offer{Size: int64(len(resumed)), Digest: "sha256", Proof: proof[:]}
	}
	if diff := cmp.Diff(want, p.Offer()); diff != "" {
		f.Fatalf("Offer, expecting %.40q (-want +got):\n%s", resumed, diff)
	}
	return p
}

// send appends data.
func (f *fixture) send(p storage.Partial, data string) {
	f.Helper()
	if n, err := p.ReadFrom(strings.NewReader(data)); err != nil || n != int64(len(data)) {
		f.Fatalf("ReadFrom = %d, %v", n, err)
	}
}

// finish commits data, which must be what has arrived.
func (f *fixture) finish(p storage.Partial, data string) {
	f.Helper()
	r, err := p.Commit(context.Background(), sumOf(data))
	if err != nil {
		f.Fatalf("Commit: %v", err)
	}
	if want := sumOf(data); r.Size != want.Size || string(r.Digest) != string(want.Digest) {
		f.Errorf("receipt %+v, want %+v", r, want)
	}
}

// visible returns the contents of every visible file, and "" for a folder
// under its name and a slash.
func (f *fixture) visible() map[string]string {
	f.Helper()
	seen := map[string]string{}
	fsys := f.look()
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case name == ".labnet" && e.IsDir():
			return fs.SkipDir
		case e.IsDir():
			seen[name+"/"] = ""
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		seen[name] = string(data)
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	return seen
}

// expect compares what is visible; want maps names to contents.
func (f *fixture) expect(want map[string]string) {
	f.Helper()
	if diff := cmp.Diff(want, f.visible()); diff != "" {
		if len(diff) > 2000 {
			diff = diff[:2000] + " ..."
		}
		f.Errorf("visible files (-want +got):\n%s", diff)
	}
}

// expectError checks that err wraps want.
func (f *fixture) expectError(what string, err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// pattern returns n bytes that differ from each other at every power of two.
func pattern(n int, seed byte) string {
	b := bytes.Repeat([]byte{seed}, n)
	for i := range b {
		b[i] += byte(i) ^ byte(i>>8) ^ byte(i>>16)
	}
	return string(b)
}
