package dir

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/storage"
)

// resumableFile is a file whose upload can be resumed by the ID id.
func resumableFile(id string, size int) storage.File {
	return storage.File{Name: "f", ID: id, Size: int64(size), Digest: crc, Proofs: proofs}
}

// mustOpen opens a store that is closed when the test ends.
func mustOpen(t *testing.T, folder string, o Options) *Store {
	t.Helper()
	d, err := Open(folder, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func mustCreate(t *testing.T, d *Store, f storage.File) storage.Partial {
	t.Helper()
	p, err := d.Create(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// begun is an upload of which data has arrived.
func begun(t *testing.T, d *Store, f storage.File, data string) storage.Partial {
	t.Helper()
	p := mustCreate(t, d, f)
	if p.Offer().Stored {
		if err := p.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.ReadFrom(strings.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return p
}

// leave leaves an interrupted upload of which data has arrived.
func leave(t *testing.T, d *Store, id, data string) {
	t.Helper()
	if err := begun(t, d, resumableFile(id, len(data)+1), data).Suspend(); err != nil {
		t.Fatal(err)
	}
}

// resumedSize tells how much of the upload id is still there, which stays.
func resumedSize(t *testing.T, d *Store, id string) int64 {
	t.Helper()
	p := mustCreate(t, d, resumableFile(id, 1<<30))
	defer p.Suspend()
	return p.Offer().Size
}

func pathOf(folder, id string) string {
	return filepath.Join(folder, filepath.FromSlash(partialPath(storage.File{ID: id})))
}

func age(t *testing.T, name string, age time.Duration) {
	t.Helper()
	if err := os.Chtimes(name, time.Time{}, time.Now().Add(-age)); err != nil {
		t.Fatal(err)
	}
}

// TestOthersLeftovers: who leaves very many small uploads loses them, and no other owner
// does, also when the store is opened again.
func TestOthersLeftovers(t *testing.T) {
	folder, o := t.TempDir(), Options{Partials: storage.Bounds{Count: 10, Bytes: 1000}}
	d := mustOpen(t, folder, o)
	leaveAs := func(owner, id string, size int) {
		t.Helper()
		file := resumableFile(id, size+1)
		file.Owner = owner
		if err := begun(t, d, file, strings.Repeat("x", size)).Suspend(); err != nil {
			t.Fatal(err)
		}
	}
	leaveAs("alice", "hers", 500)
	for i := range 30 {
		leaveAs("mallory", fmt.Sprint(i), 1+i)
	}
	for range 2 {
		if got, want := d.Left(storage.File{Owner: "alice"}), (storage.Usage{Bytes: 500, Files: 1}); got != want {
			t.Errorf("alice has left %+v, want %+v", got, want)
		}
		if got := d.Left(storage.File{Owner: "mallory"}); got.Files != 9 {
			t.Errorf("mallory has left %+v", got)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = mustOpen(t, folder, o)
	}
	leaveAs("mallory", "large", 600) // more than alice
	if got := d.Left(storage.File{Owner: "alice"}); got.Files != 1 {
		t.Errorf("alice has left %+v", got)
	}
}

func TestExpiry(t *testing.T) {
	folder := t.TempDir()
	o := Options{Partials: storage.Bounds{Age: time.Hour}}
	d := mustOpen(t, folder, o)
	ages := map[string]time.Duration{
		"old": 61 * time.Minute, "young": 59 * time.Minute, "soon": -time.Minute, "future": -20 * 365 * 24 * time.Hour,
	}
	for id, a := range ages {
		leave(t, d, id, "hello")
		age(t, pathOf(folder, id), a)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, folder, o)
	opened := time.Now()
	if got := resumedSize(t, d, "old"); got != 0 {
		t.Errorf("an old partial was kept: %d bytes", got)
	}
	// Twice, because it must not be new with every start.
	for range 2 {
		for id, a := range ages {
			if fi, err := os.Stat(pathOf(folder, id)); id != "old" && err != nil {
				t.Error(err)
			} else if id != "old" && fi.ModTime().Sub(opened.Add(-max(a, 0))).Abs() > time.Minute {
				t.Errorf("%s: time %v", id, fi.ModTime())
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = mustOpen(t, folder, o)
	}
	p := mustCreate(t, d, resumableFile("soon", 6))
	d.removeExpired(time.Now().Add(2 * time.Minute))
	if left := d.Leftovers(); len(left) != 1 || left[0].Name != filepath.Base(partialPath(storage.File{ID: "future"})) {
		t.Errorf("left after two minutes: %+v", left)
	}
	d.removeExpired(time.Now().Add(2 * time.Hour))
	if left := d.Leftovers(); len(left) != 0 {
		t.Errorf("left after two hours: %+v", left)
	}
	// What is being written does not expire.
	if _, err := p.ReadFrom(strings.NewReader("!")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(context.Background(), storage.Sum{Size: 6}); err != nil {
		t.Error(err)
	}
}

func TestExpiryWhileServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		d := mustOpen(t, folder, Options{})
		leave(t, d, "id", "hello")
		time.Sleep(storage.DefaultPartialTTL - time.Minute)
		synctest.Wait()
		if len(d.Leftovers()) != 1 {
			t.Fatal("gone too early")
		}
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		if left := d.Leftovers(); len(left) != 0 {
			t.Errorf("still there: %+v", left)
		}
		if _, err := os.Stat(pathOf(folder, "id")); err == nil {
			t.Error("the file is still there")
		}
	})
}

func TestBounds(t *testing.T) {
	for what, test := range map[string]struct {
		options Options
		sizes   []int // left in this order, an hour between them
		want    string
	}{
		"number":          {Options{Partials: storage.Bounds{Count: 2}}, []int{1, 1, 1, 1}, "[2 3]"},
		"bytes":           {Options{Partials: storage.Bounds{Bytes: 10}}, []int{1, 4, 5, 2}, "[2 3]"},
		"bytes, just fit": {Options{Partials: storage.Bounds{Bytes: 12}}, []int{1, 4, 5, 3}, "[1 2 3]"},
		"too large":       {Options{Partials: storage.Bounds{Bytes: 10}}, []int{1, 4, 11, 5}, "[0 1 3]"},
		"none":            {Options{Partials: storage.Bounds{Count: -1}}, []int{1, 1}, "[]"},
		"no bytes":        {Options{Partials: storage.Bounds{Bytes: -1}}, []int{1, 1}, "[]"},
		"no time":         {Options{Partials: storage.Bounds{Age: -1}}, []int{1, 1}, "[]"},
		"defaults":        {Options{}, []int{1, 4, 11, 5}, "[0 1 2 3]"},
	} {
		t.Run(what, func(t *testing.T) {
			id := func(i int) string { return fmt.Sprint("id ", i) }
			present := func(folder string) string {
				kept := []int{}
				for i := range test.sizes {
					if _, err := os.Stat(pathOf(folder, id(i))); err == nil {
						kept = append(kept, i)
					}
				}
				return fmt.Sprint(kept)
			}

			t.Run("suspend", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					folder := t.TempDir()
					d := mustOpen(t, folder, test.options)
					writing := begun(t, d, resumableFile("writing", 1000), strings.Repeat("x", 100))
					for i, size := range test.sizes {
						leave(t, d, id(i), strings.Repeat("x", size))
						time.Sleep(time.Hour)
						synctest.Wait()
					}
					if got := present(folder); got != test.want {
						t.Errorf("kept %s, want %s", got, test.want)
					}
					if _, err := os.Stat(pathOf(folder, "writing")); err != nil {
						t.Error(err)
					}
					if err := writing.Abort(); err != nil {
						t.Error(err)
					}
				})
			})
			t.Run("open", func(t *testing.T) {
				folder := t.TempDir()
				d := mustOpen(t, folder, Options{})
				for i, size := range test.sizes {
					leave(t, d, id(i), strings.Repeat("x", size))
					age(t, pathOf(folder, id(i)), time.Duration(len(test.sizes)-i)*time.Hour)
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				mustOpen(t, folder, test.options)
				if got := present(folder); got != test.want {
					t.Errorf("kept %s, want %s", got, test.want)
				}
			})
		})
	}
}
