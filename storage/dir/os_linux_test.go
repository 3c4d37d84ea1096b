package dir

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/storage"
)

// openNameless opens a store in which files have no name before their own.
func openNameless(t *testing.T) *Store {
	d := mustOpen(t, t.TempDir(), Options{})
	if !d.Unname() {
		t.Skip("this filesystem has no files without a name")
	}
	return d
}

// What is told of a file is true of one that had no name, too, whichever way it
// gets it, and nothing is seen of it before.
func TestNameless(t *testing.T) {
	d := openNameless(t)
	modTime := time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)
	for way := d.os.nameless; way <= byProc; way++ {
		d.os.nameless = way
		for _, mode := range []fs.FileMode{0, 0o444, 0o600, 0o666, 0o777, 0o111} {
			name := fmt.Sprintf("a/%d %o", way, mode)
			p, err := d.Create(context.Background(), storage.File{Name: name, Size: 3, Mode: mode, HasMode: true, ModTime: modTime, Digest: crc})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.ReadFrom(strings.NewReader("new")); err != nil {
				t.Fatal(err)
			}
			if _, rest := hiddenIn(t, d.path); len(rest) > 0 {
				t.Errorf("%s has the name %q before its own", name, rest)
			}
			if _, err := p.Commit(context.Background(), storage.Sum{Size: 3}); err != nil {
				t.Fatal(err)
			}
			fi, err := os.Stat(filepath.Join(d.path, name))
			if err != nil {
				t.Fatal(err)
			}
			if want := mode &^ d.umask; fi.Mode() != want || !fi.ModTime().Equal(modTime) {
				t.Errorf("%s: %v, %v; want %v, %v", name, fi.Mode(), fi.ModTime(), want, modTime)
			}
		}
	}
}

// A file without a name needs its descriptor for longer: there are not too many.
func TestFewAreNameless(t *testing.T) {
	d := openNameless(t)
	for i := range maxNameless + 2 {
		p, err := d.Create(context.Background(), storage.File{Name: fmt.Sprint(i), Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Abort()
	}
	if _, rest := hiddenIn(t, d.path); len(rest) != 2 {
		t.Errorf("%d files have a name before their own, want 2", len(rest))
	}
}

// Of small files thousands may be announced at a time: before its contents come, none has
// a descriptor or anything on the disk.
func TestSmallFilesAreCreatedLate(t *testing.T) {
	d := openNameless(t)
	before := descriptors(t)
	var partials []storage.Partial
	for i := range 1000 {
		p, err := d.Create(context.Background(), storage.File{Name: fmt.Sprint(i), Size: int64(i % 2)})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Abort()
		partials = append(partials, p)
	}
	if more := descriptors(t) - before; more > 0 {
		t.Errorf("%d descriptors more", more)
	}
	if _, rest := hiddenIn(t, d.path); len(rest) > 0 {
		t.Errorf("%d are in the hidden folder", len(rest))
	}
	for i, p := range partials {
		if err := p.Restart(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.ReadFrom(strings.NewReader("x"[:i%2])); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Commit(context.Background(), storage.Sum{Size: int64(i % 2)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.nameless.Load(); n != 0 {
		t.Errorf("%d are still said to have no name", n)
	}
}

// descriptors counts those of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Only who is not alone goes without a name: for one file alone it would take
// longer to make that durable.
func TestWhenNameless(t *testing.T) {
	d := openNameless(t)
	d.namelessFrom = batchFrom
	for i := range batchFrom + 1 {
		p, err := d.Create(context.Background(), storage.File{Name: fmt.Sprint(i), Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Abort()
	}
	if _, rest := hiddenIn(t, d.path); len(rest) != batchFrom-1 {
		t.Errorf("%d files have a name before their own, want %d", len(rest), batchFrom-1)
	}
}
