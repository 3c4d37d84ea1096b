package storagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/crc64nvme"

	"github.com/labnet/labnet/storage"
)

// OpenBoth opens an empty store, as [Open] does, and a Reader of it.
type OpenBoth func(t *testing.T, c storage.Conflict) (storage.Store, storage.Reader)

// RunReader checks that Readers of the stores which open returns honour the contract.
func RunReader(t *testing.T, open OpenBoth) {
	tests := map[string]func(*testing.T, *fixture, storage.Reader){
		"what is kept is read":       readsAll,
		"unchanged with a new time":  readsAfterNewTime,
		"what vanishes is no error":  readsNothingThatVanished,
		"walks end":                  walkEnds,
		"beside a store that stores": readsBeside,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store, reader := open(t, storage.Replace)
			t.Cleanup(func() {
				if err := reader.Close(); err != nil {
					t.Error(err)
				}
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, &fixture{T: t, Store: store}, reader)
		})
	}
}

// noted are the digests that a store may note.
var noted = map[string]func() hash.Hash{
	Digest.Name: Digest.New,
	"sha256":    sha256.New,
	"crc64nvme": func() hash.Hash { return crc64nvme.New() },
}

// walk returns the sizes of all files by name.
func walk(t *testing.T, r storage.Reader) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	err := r.Walk(t.Context(), func(f storage.Found) error {
		if _, twice := all[f.Name]; twice || f.Err != nil {
			t.Errorf("%q: found twice: %v; %v", f.Name, twice, f.Err)
		}
		all[f.Name] = f.Size
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return all
}

// readIntact reads a file that nobody but the store has written to.
func readIntact(r storage.Reader, name string) (string, error) {
	k, err := r.Open(context.Background(), name)
	if err != nil {
		return "", err
	}
	defer k.Close()
	notes, err := k.Notes(context.Background())
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(k)
	if err != nil {
		return "", err
	}
	untouched := func(n storage.Note) bool { return n.Since == storage.Untouched }
	if !slices.ContainsFunc(notes, untouched) { // those by other digests may be older
		return "", fmt.Errorf("noted: %+v", notes)
	}
	for _, note := range notes {
		h := noted[note.Digest]()
		h.Write(data)
		if !bytes.Equal(h.Sum(nil), note.Sum) || note.Size >= 0 && note.Size != int64(len(data)) {
			return "", fmt.Errorf("%+v is noted of %d bytes", note, len(data))
		}
	}
	return string(data), nil
}

// expectIntact reads a file.
func expectIntact(t *testing.T, r storage.Reader, name, want string) {
	t.Helper()
	if got, err := readIntact(r, name); got != want || err != nil {
		t.Errorf("%q has %d bytes, %v; want %d", name, len(got), err, len(want))
	}
}

func readsAll(t *testing.T, f *fixture, r storage.Reader) {
	if all := walk(t, r); len(all) > 0 {
		t.Errorf("an empty store has %v", all)
	}
	want := map[string]string{
		"empty": "", "a/small": "x", "a/b/c": pattern(70_000, 1), "a b/ä (2)": "y", "large": pattern(300_000, 2),
	}
	sizes := map[string]int64{}
	for name, data := range want {
		f.keep(name, data)
		sizes[name] = int64(len(data))
	}
	if err := f.MakeFolder(t.Context(), "folder", nil); err != nil {
		t.Fatal(err)
	}
	file := upload("id", 200_000)
	file.Name = "begun"
	p := f.start(file, "")
	f.send(p, pattern(150_000, 3))
	defer p.Abort()
	if diff := cmp.Diff(sizes, walk(t, r)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for name, data := range want {
		expectIntact(t, r, name, data)
	}
	f.keep("a/small", "another")
	expectIntact(t, r, "a/small", "another")
}

// readsAfterNewTime: what is stored again with another time or other permissions is as
// untouched as before.
func readsAfterNewTime(t *testing.T, f *fixture, r storage.Reader) {
	for _, size := range []int{10, 200_000} {
		data := pattern(size, 4)
		file := storage.File{Name: "a", Size: int64(size), Digest: Digest, Proofs: Proofs}
		for i, change := range []func(){
			func() {},
			func() { file.ModTime = time.Unix(1_000_000_000, 123_456_789) },
			func() { file.ModTime = time.Unix(1_000_000_001, 0) },
			func() { file.Mode, file.HasMode = 0o444, true },
			func() { file.ModTime = time.Unix(-1, 500_000_000) },
			func() { file.ModTime = time.Time{} },
			func() { file.Digest = Proofs[0] },
			func() {
				sum := sha256.Sum256([]byte(data))
				file.Contents = storage.Proof{Digest: Proofs[0], Sum: sum[:]}
				file.ModTime = time.Unix(1_000_000_002, 0)
			},
		} {
			change()
			p, err := f.Create(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			if !p.Offer().Stored {
				f.send(p, data)
			}
			receipt, err := p.Commit(t.Context(), storage.Sum{Size: int64(size)})
			if err != nil || receipt.Unchanged != (i > 0) {
				t.Fatalf("%d: receipt %+v, %v", i, receipt, err)
			}
			expectIntact(t, r, "a", data)
		}
		f.keep("a", "other")
	}
}

func readsNothingThatVanished(t *testing.T, f *fixture, r storage.Reader) {
	f.keep("a/b", "x")
	for _, name := range []string{"c", "a/c", "c/c", "a", "a/b/c"} {
		_, err := r.Open(t.Context(), name)
		f.expectError(name, err, fs.ErrNotExist)
	}
}

func walkEnds(t *testing.T, f *fixture, r storage.Reader) {
	for i := range 5 {
		f.keep(fmt.Sprint("a/", i), "x")
	}
	n := 0
	err := r.Walk(t.Context(), func(storage.Found) error {
		if n++; n == 2 {
			return io.ErrClosedPipe
		}
		return nil
	})
	f.expectError("Walk", err, io.ErrClosedPipe)
	if n != 2 {
		t.Errorf("called %d times", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.expectError("Walk", r.Walk(ctx, func(storage.Found) error { return nil }), context.Canceled)
}

// readsBeside reads while files are replaced all the time.
func readsBeside(t *testing.T, f *fixture, r storage.Reader) {
	const name = "a/f"
	f.keep(name, "0")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() {
		for i := 1; ctx.Err() == nil; i++ {
			f.keep(name, strings.Repeat(fmt.Sprint(i), i%3*50_000+1))
		}
	})
	for range 50 {
		if _, err := readIntact(r, name); err != nil {
			t.Error(err)
		}
		for found, size := range walk(t, r) {
			if found != name || size == 0 {
				t.Errorf("%q has %d bytes", found, size)
			}
		}
	}
	stop()
}
