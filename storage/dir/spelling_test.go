package dir

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/storage"
)

// A folding filesystem takes names that differ in case or normalization only for
// the same, as those of macOS and Windows do.
type folding struct{ filesystem }

func fold(name string) string {
	if strings.HasPrefix(name, hidden) {
		return name
	}
	return norm.NFC.String(cases.Fold().String(name))
}

func (f folding) Lstat(name string) (fs.FileInfo, error) { return f.filesystem.Lstat(fold(name)) }
func (f folding) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	return f.filesystem.OpenFile(fold(name), flag, perm)
}
func (f folding) Chtimes(name string, mtime time.Time) error {
	return f.filesystem.Chtimes(fold(name), mtime)
}
func (f folding) Mkdir(name string, perm fs.FileMode) error {
	return f.filesystem.Mkdir(fold(name), perm)
}
func (f folding) Link(old, name string) error   { return f.filesystem.Link(fold(old), fold(name)) }
func (f folding) Move(old, name string) error   { return f.filesystem.Move(fold(old), fold(name)) }
func (f folding) Rename(old, name string) error { return f.filesystem.Rename(fold(old), fold(name)) }
func (f folding) Remove(name string) error      { return f.filesystem.Remove(fold(name)) }

// TestReplaceOtherSpelling sends files whose names are the same to the filesystem
// and spelt otherwise: none replaces what the same sender has just sent.
func TestReplaceOtherSpelling(t *testing.T) {
	tests := []struct {
		first, second string
		folds         bool
		kept          string // of the second
	}{
		{"README", "Readme", true, "Readme (2)"},
		{"README", "Readme", false, "Readme"},
		{"Docs/x", "docs/x", true, "docs/x (2)"},
		{"Docs/1", "docs/1", false, "docs/1"},
		{"straße", "STRASSE", true, "STRASSE (2)"},
		{"\u00e9", "e\u0301", true, "e\u0301 (2)"},
	}
	for _, tt := range tests {
		t.Run(tt.first+" "+tt.second, func(t *testing.T) {
			folder := t.TempDir()
			root, err := os.MkdirTemp(folder, "store")
			if err != nil {
				t.Fatal(err)
			}
			own, err := openRoot(root)
			if err != nil {
				t.Fatal(err)
			}
			var system filesystem = own
			if tt.folds {
				system = folding{own}
			}
			d, err := newStore(root, own, system, Options{OnConflict: storage.Replace})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			d.NeverBatch()
			d.namelessFrom = 0
			put := func(name, contents string, r storage.Replacement) string {
				t.Helper()
				p := &partial{}
				created, err := d.Create(t.Context(), storage.File{Name: name, Size: int64(len(contents)), Replace: r})
				if err != nil {
					t.Fatal(err)
				}
				p = created.(*partial)
				if _, err := p.ReadFrom(strings.NewReader(contents)); err != nil {
					t.Fatal(err)
				}
				r2, err := p.Commit(t.Context(), storage.Sum{Size: -1})
				if err != nil {
					t.Fatal(err)
				}
				return r2.Name
			}
			put(tt.second, "old", storage.ReplaceAny)
			put(tt.first, "first", storage.ReplaceAny)
			if kept := put(tt.second, "second", storage.ReplaceOther); kept != tt.kept {
				t.Errorf("kept as %q, want %q", kept, tt.kept)
			}
			put(tt.second, "second", storage.ReplaceOther) // again: unchanged
			at := func(name string) string {
				if tt.folds {
					return fold(name)
				}
				return name
			}
			if diff := cmp.Diff(map[string]string{at(tt.first): "first", at(tt.kept): "second"}, files(t, root)); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnnumbered(t *testing.T) {
	for _, name := range []string{"report.pdf", "a", "a.tar.gz", "d/x.y", "ends (2)", "ends (2).pdf", "x.ending-too-long-for-an-extension-of-a-file", ".hidden"} {
		for _, n := range []int{2, 3, 10, 9999} {
			if first, ok := storage.Unnumbered(storage.NumberedName(name, n)); !ok || first != name {
				t.Errorf("Unnumbered(%q) = %q, %t", storage.NumberedName(name, n), first, ok)
			}
		}
	}
	for _, name := range []string{"report.pdf", "a (1)", "a (02)", "a (x)", "a(2)", "a (2) b", "", ")", " ()", "a (-3)"} {
		if first, ok := storage.Unnumbered(name); ok {
			t.Errorf("Unnumbered(%q) = %q", name, first)
		}
	}
}
