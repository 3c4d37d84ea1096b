package dir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
)

// hasAttributes skips the test unless files in folder can have extended attributes.
func hasAttributes(t *testing.T, folder string) {
	t.Helper()
	f, err := os.CreateTemp(folder, "attribute")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := setAttribute(f, attributePrefix+"test", "x"); err != nil {
		t.Skip("no extended attributes here:", err)
	}
}

func TestReaderContract(t *testing.T) {
	ways := map[string]func(*Store){"alone": (*Store).NeverBatch, "nameless": func(d *Store) { d.Unname() }}
	for name, prepare := range ways {
		t.Run(name, func(t *testing.T) {
			storagetest.RunReader(t, func(t *testing.T, c storage.Conflict) (storage.Store, storage.Reader) {
				folder := storagetest.MemoryDir(t)
				hasAttributes(t, folder)
				d, err := Open(folder, Options{OnConflict: c})
				if err != nil {
					t.Fatal(err)
				}
				prepare(d)
				return d, mustRead(t, folder)
			})
		})
	}
}

func mustRead(t *testing.T, folder string) *Reader {
	t.Helper()
	r, err := OpenReader(folder)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// notesOf returns what is noted of a file.
func notesOf(t *testing.T, r *Reader, name string) []storage.Note {
	t.Helper()
	k, err := r.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	notes, err := k.Notes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return notes
}

// TestNotesTellChanges: the time tells what somebody has done to a file from what has
// happened to it, whatever its size has become.
func TestNotesTellChanges(t *testing.T) {
	folder := t.TempDir()
	hasAttributes(t, folder)
	d := mustOpen(t, folder, Options{})
	r := mustRead(t, folder)
	defer r.Close()
	const data = "contents"
	write := func(keepTime bool, do func(path string) error) func(string) error {
		return func(path string) error {
			fi, err := os.Stat(path)
			if err == nil {
				err = do(path)
			}
			if err == nil && keepTime {
				err = os.Chtimes(path, time.Time{}, fi.ModTime())
			}
			return err
		}
	}
	edit := func(path string) error { return os.WriteFile(path, []byte("CONTENTS"), 0) }
	truncate := func(path string) error { return os.Truncate(path, 2) }
	for what, test := range map[string]struct {
		do   func(path string) error
		want storage.Since
	}{
		"nothing":                   {func(string) error { return nil }, storage.Untouched},
		"other permissions":         {func(path string) error { return os.Chmod(path, 0o600) }, storage.Untouched},
		"another name":              {func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Rename(path+"2", path)) }, storage.Untouched},
		"edited":                    {write(false, edit), storage.Changed},
		"edited, with its time":     {write(true, edit), storage.Untouched},
		"truncated":                 {write(false, truncate), storage.Changed},
		"truncated, with its time":  {write(true, truncate), storage.Untouched},
		"a nanosecond later":        {func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(981173106, 1)) }, storage.Changed},
		"a note without time":       {setNote(hexOf(data)), storage.Unknown},
		"a note without size":       {setNote(hexOf(data) + " 981173106.000000000"), -1},
		"a note of something else":  {setNote("xyz"), -1},
		"a note without digest":     {setNote(" 981173106.000000000 8"), -1},
		"a note of a later version": {setNote(hexOf(data) + " 981173106.000000000 8 more"), -1},
	} {
		t.Run(what, func(t *testing.T) {
			name := strings.ReplaceAll(what, " ", "-")
			mustUpload(t, d, name, data)
			if err := test.do(filepath.Join(folder, name)); err != nil {
				t.Fatal(err)
			}
			got := notesOf(t, r, name)
			if test.want < 0 {
				if len(got) > 0 {
					t.Errorf("noted: %+v", got)
				}
				return
			}
			want := []storage.Note{{Digest: crc.Name, Sum: sumOf(data), Size: int64(len(data)), Since: test.want}}
			if test.want == storage.Unknown {
				want[0].Size = -1
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("noted (-want +got):\n%s", diff)
			}
		})
	}
}

func hexOf(data string) string { return fmt.Sprintf("%x", sumOf(data)) }

// setNote returns what sets a note of a file.
func setNote(text string) func(path string) error {
	return func(path string) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return setAttribute(f, attributePrefix+crc.Name, text)
	}
}

// TestNoteFollows: what is there already is noted once it is proven, and not again, and
// also if it may not be written to.
func TestNoteFollows(t *testing.T) {
	folder := t.TempDir()
	hasAttributes(t, folder)
	d, w := watchDir(t, folder, storage.Rename)
	r := mustRead(t, folder)
	defer r.Close()
	const data = "contents"
	again := func(what, want string, file storage.File) {
		t.Helper()
		w.taken()
		p, err := d.Create(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		receipt, err := p.Commit(t.Context(), storage.Sum{Size: file.Size})
		if err != nil || !receipt.Unchanged {
			t.Fatalf("%s: %+v, %v", what, receipt, err)
		}
		calls := w.taken()
		calls = slices.DeleteFunc(calls, func(call string) bool {
			op, _, _ := strings.Cut(call, " ")
			return !slices.Contains([]string{"modtime", "chmod", "attribute", "sync"}, op) || call == "sync ."
		})
		if got := strings.Join(calls, ", "); got != want {
			t.Errorf("%s: calls %s, want %s", what, got, want)
		}
	}
	file := storage.File{Name: "f", Size: int64(len(data)), Digest: crc, Proofs: proofs}

	if err := os.WriteFile(filepath.Join(folder, "f"), []byte(data), 0o666); err != nil {
		t.Fatal(err)
	}
	again("another's", "attribute f, sync f", file)
	again("noted", "sync f", file)
	file.ModTime = time.Unix(981173106, 0)
	again("a new time", "modtime f, attribute f, sync f", file)
	again("the same time", "sync f", file)
	file.Mode, file.HasMode = 0o444, true
	again("new permissions", "chmod f, sync f", file)
	file.ModTime = time.Unix(981173107, 0)
	refuse := 1
	w.before = func(call string) error {
		if call == "attribute f" && refuse > 0 {
			refuse--
			return fs.ErrPermission
		}
		return nil
	}
	again("not to be written to", "modtime f, attribute f, chmod f, attribute f, chmod f, sync f", file)
	if fi, err := os.Stat(filepath.Join(folder, "f")); err != nil || fi.Mode().Perm() != 0o444 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	file.Check, file.ModTime = true, time.Unix(981173108, 0)
	again("only looked at", "sync f", file)
	if notes := notesOf(t, r, "f"); len(notes) != 1 || notes[0].Since != storage.Untouched {
		t.Errorf("noted: %+v", notes)
	}
}

func TestReaderOfNothing(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(folder, "none")} {
		if _, err := OpenReader(path); err == nil {
			t.Errorf("%s can be read", path)
		}
	}
	r := mustRead(t, folder)
	defer r.Close()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("to read made something: %v, %v", entries, err)
	}
}

// TestReaderDropsBehind: what was read is not left in the system's cache, unless it had
// been there.
func TestReaderDropsBehind(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	if err := os.WriteFile(path, make([]byte, 3*dropStep+1), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	dropCached(f, 0, 0)
	if !isCold(f) {
		t.Skip("this system does not tell what it has in its cache, or keeps it")
	}
	r := mustRead(t, folder)
	defer r.Close()
	read := func() {
		k, err := r.Open(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		if n, err := io.Copy(io.Discard, k); n != 3*dropStep+1 || err != nil {
			t.Fatal(n, err)
		}
	}
	read()
	if !isCold(f) { // what the system reads ahead may come after that
		dropCached(f, 0, 0)
		if read(); !isCold(f) {
			t.Error("what was read is in the cache, twice")
		}
	}
	if _, err := io.CopyN(io.Discard, f, 1); err != nil {
		t.Fatal(err)
	}
	read()
	if isCold(f) {
		t.Error("what others have in the cache is gone")
	}
}
