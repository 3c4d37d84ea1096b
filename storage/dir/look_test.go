package dir

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
)

// told is a file of that name and contents whose proof the sender tells.
func told(name, data string) storage.File {
	sum := sha256.Sum256([]byte(data))
	return storage.File{Name: name, Size: int64(len(data)), Digest: crc, Proofs: proofs, Contents: storage.Proof{Digest: proofs[0], Sum: sum[:]}}
}

// TestLookedFor only looks for files: nothing is made, nothing changes, and what an
// interrupted upload has left stays.
func TestLookedFor(t *testing.T) {
	for _, policy := range []storage.Conflict{storage.Rename, storage.Replace, storage.Refuse} {
		folder := t.TempDir()
		d := mustOpen(t, folder, Options{OnConflict: policy})
		mustUpload(t, d, "a/f", "contents")
		mustUpload(t, d, "empty", "")
		if err := begun(t, d, resumableFile("id", 8), "some").Suspend(); err != nil {
			t.Fatal(err)
		}
		before := files(t, folder)
		beforeInfo, err := os.Stat(filepath.Join(folder, "a", "f"))
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			name, data string
			want       error
		}{
			{"a/f", "contents", nil}, {"a/f", "CONTENTS", storage.ErrDifferent}, {"a/f", "longer contents", storage.ErrDifferent},
			{"a/f", "", storage.ErrDifferent}, {"empty", "", nil}, {"empty", "x", storage.ErrDifferent},
			{"b", "contents", storage.ErrAbsent}, {"b/f", "contents", storage.ErrAbsent}, {"f", "contents", storage.ErrAbsent},
			{"a", "contents", storage.ErrDifferent}, {"a/f/x", "contents", storage.ErrDifferent},
		} {
			for _, existing := range []bool{false, true} {
				f := told(test.name, test.data)
				f.ID, f.ModTime, f.Mode, f.HasMode = "id", time.Unix(7, 0), 0o400, true
				f.Existing, f.Check = existing, !existing
				if existing && test.want == nil {
					continue // that one gets the time
				}
				p, err := d.Create(t.Context(), f)
				if err == nil {
					if o := p.Offer(); !o.Stored || !o.Agreed {
						t.Errorf("%+v: offer %+v", test, o)
					}
					var r storage.Receipt
					if r, err = p.Commit(t.Context(), storage.Sum{Size: f.Size}); err == nil && !r.Unchanged {
						t.Errorf("%+v: receipt %+v", test, r)
					}
				}
				if !errors.Is(err, test.want) || test.want == nil && err != nil {
					t.Errorf("%v, %+v: error %v", policy, test, err)
				}
			}
		}
		after, err := os.Stat(filepath.Join(folder, "a", "f"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, files(t, folder)); diff != "" || !after.ModTime().Equal(beforeInfo.ModTime()) || after.Mode() != beforeInfo.Mode() {
			t.Errorf("%v: it was changed: %s, %v %v", policy, diff, after.ModTime(), after.Mode())
		}
		if n := len(d.Leftovers()); n != 1 {
			t.Errorf("%d uploads are left, want 1", n)
		}
	}
}

// TestLookedForAndDifferent: the sender compares, and finds other contents.
func TestLookedForAndDifferent(t *testing.T) {
	folder := t.TempDir()
	d := mustOpen(t, folder, Options{})
	mustUpload(t, d, "f", "contents")
	for _, existing := range []bool{false, true} {
		f := resumableFile("", 8)
		f.Existing, f.Check = existing, !existing
		p := mustCreate(t, d, f)
		if !p.Offer().Stored {
			t.Fatalf("offer %+v", p.Offer())
		}
		if err := p.Restart(); !errors.Is(err, storage.ErrDifferent) {
			t.Errorf("Restart: %v", err)
		}
		if _, err := p.ReadFrom(strings.NewReader("CONTENTS")); !errors.Is(err, storage.ErrDifferent) {
			t.Errorf("ReadFrom: %v", err)
		}
		if _, err := p.Commit(t.Context(), storage.Sum{Size: 8}); !errors.Is(err, storage.ErrDifferent) {
			t.Errorf("Commit: %v", err)
		}
	}
	if got := tree(t, folder); len(got) != 1 || got["f"] != "contents" {
		t.Errorf("stored: %q", got)
	}
}

// TestFoldersLookedFor: a folder that is checked is not made, but made durable.
func TestFoldersLookedFor(t *testing.T) {
	d, w := watchDir(t, t.TempDir(), storage.Rename)
	if err := os.MkdirAll(filepath.Join(d.path, "a", "b"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.path, "f"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	w.taken()
	for name, want := range map[string]error{"a": nil, "a/b": nil, "a/c": storage.ErrAbsent, "c/d": storage.ErrAbsent, "f": storage.ErrDifferent, "f/a": storage.ErrDifferent} {
		if err := d.CheckFolder(t.Context(), name); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	var name *storage.NameError
	if err := d.CheckFolder(t.Context(), "../a"); !errors.As(err, &name) {
		t.Errorf("outside: %v", err)
	}
	calls := w.taken()
	if !slices.Contains(calls, "sync .") || !slices.Contains(calls, "sync a") || slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, "mkdir") }) {
		t.Errorf("calls %q", calls)
	}
}

// TestQuick: a file of the same size and time is taken for the same if the sender wants
// that, unread; but it is made durable, and gets the mode. Any other is compared.
func TestQuick(t *testing.T) {
	at := time.Unix(1_000_000_000, 123456789)
	folder := t.TempDir()
	d, w := watchDir(t, folder, storage.Rename)
	path := filepath.Join(folder, "f")
	put := func(t *testing.T, data string, at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(data), 0o666), os.Chmod(path, 0o644), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	quick := func(data string) storage.File {
		f := storage.File{Name: "f", Size: int64(len(data)), ModTime: at, Digest: crc, Proofs: proofs, Quick: true, HasMode: true, Mode: 0o600}
		return f
	}
	put(t, "CONTENTS", at)
	w.taken()
	p := mustCreate(t, d, quick("contents"))
	if o := p.Offer(); !o.Stored || !o.Agreed || !o.Assumed || o.Size != 8 || len(o.Proof) > 0 {
		t.Fatalf("offer %+v", o)
	}
	if calls := w.taken(); slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, "open") }) {
		t.Errorf("it was opened: %q", calls)
	}
	r, err := p.Commit(t.Context(), storage.Sum{Size: 8})
	if err != nil || !r.Unchanged || !r.Assumed || len(r.Digest) > 0 || r.Name != "f" {
		t.Errorf("receipt %+v, %v", r, err)
	}
	if calls := w.taken(); !slices.Contains(calls, "sync f") || !slices.Contains(calls, "sync .") {
		t.Errorf("it was not made durable: %q", calls)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 || !fi.ModTime().Equal(at) {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	for what, change := range map[string]func(){
		"another time": func() { put(t, "CONTENTS", at.Add(1)) },
		"another size": func() { put(t, "CONTENTS!", at) },
		"a symlink": func() {
			if err := errors.Join(os.Remove(path), os.Symlink("g", path)); err != nil {
				t.Skip(err)
			}
		},
	} {
		change()
		p := mustCreate(t, d, quick("contents"))
		if o := p.Offer(); o.Agreed || o.Assumed {
			t.Errorf("%s: offer %+v", what, o)
		}
		p.Abort()
		os.Remove(path)
	}
	put(t, "CONTENTS", at)
	p = mustCreate(t, d, quick("contents"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(context.Background(), storage.Sum{Size: 8}); !errors.Is(err, storage.ErrMismatch) {
		t.Errorf("removed meanwhile: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is back: %v", err)
	}
}
