package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// resumableFile is a file whose upload can be resumed by the ID id.
func resumableFile(id string, size int) File {
	return File{Name: "f", ID: id, Size: int64(size), Digest: crc}
}

// mustOpen opens a store that is closed when the test ends.
func mustOpen(t *testing.T, dir string, o DirOptions) *Dir {
	t.Helper()
	d, err := OpenDir(dir, o)
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

func mustCreate(t *testing.T, d *Dir, f File) Partial {
	t.Helper()
	p, err := d.Create(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// begun is an upload of which data has arrived.
func begun(t *testing.T, d *Dir, f File, data string) Partial {
	t.Helper()
	p := mustCreate(t, d, f)
	if _, err := p.ReadFrom(strings.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return p
}

// leave leaves an interrupted upload of which data has arrived.
func leave(t *testing.T, d *Dir, id, data string) {
	t.Helper()
	if err := begun(t, d, resumableFile(id, len(data)+1), data).Suspend(); err != nil {
		t.Fatal(err)
	}
}

// resumedSize tells how much of the upload id is still there, which stays.
func resumedSize(t *testing.T, d *Dir, id string) int64 {
	t.Helper()
	p := mustCreate(t, d, resumableFile(id, 1<<30))
	defer p.Suspend()
	return p.Resumed().Size
}

func pathOf(dir, id string) string { return filepath.Join(dir, filepath.FromSlash(partialPath(id))) }

func age(t *testing.T, name string, age time.Duration) {
	t.Helper()
	if err := os.Chtimes(name, time.Time{}, time.Now().Add(-age)); err != nil {
		t.Fatal(err)
	}
}

func TestExpiry(t *testing.T) {
	dir := t.TempDir()
	o := DirOptions{PartialTTL: time.Hour}
	d := mustOpen(t, dir, o)
	ages := map[string]time.Duration{
		"old": 61 * time.Minute, "young": 59 * time.Minute, "soon": -time.Minute, "future": -20 * 365 * 24 * time.Hour,
	}
	for id, a := range ages {
		leave(t, d, id, "hello")
		age(t, pathOf(dir, id), a)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, dir, o)
	opened := time.Now()
	if got := resumedSize(t, d, "old"); got != 0 {
		t.Errorf("an old partial was kept: %d bytes", got)
	}
	// Twice, because it must not be new with every start.
	for range 2 {
		for id, a := range ages {
			if fi, err := os.Stat(pathOf(dir, id)); id != "old" && err != nil {
				t.Error(err)
			} else if id != "old" && fi.ModTime().Sub(opened.Add(-max(a, 0))).Abs() > time.Minute {
				t.Errorf("%s: time %v", id, fi.ModTime())
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = mustOpen(t, dir, o)
	}
	p := mustCreate(t, d, resumableFile("soon", 6))
	d.removeExpired(time.Now().Add(2 * time.Minute))
	if left := d.Leftovers(); len(left) != 1 || left[0].Name != filepath.Base(partialPath("future")) {
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
	if _, err := p.Commit(context.Background(), Sum{Size: 6}); err != nil {
		t.Error(err)
	}
}

func TestExpiryWhileServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := mustOpen(t, dir, DirOptions{})
		leave(t, d, "id", "hello")
		time.Sleep(DefaultPartialTTL - time.Minute)
		synctest.Wait()
		if len(d.Leftovers()) != 1 {
			t.Fatal("gone too early")
		}
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		if left := d.Leftovers(); len(left) != 0 {
			t.Errorf("still there: %+v", left)
		}
		if _, err := os.Stat(pathOf(dir, "id")); err == nil {
			t.Error("the file is still there")
		}
	})
}

func TestBounds(t *testing.T) {
	for what, test := range map[string]struct {
		options DirOptions
		sizes   []int // left in this order, an hour between them
		want    string
	}{
		"number":          {DirOptions{MaxPartials: 2}, []int{1, 1, 1, 1}, "[2 3]"},
		"bytes":           {DirOptions{MaxPartialBytes: 10}, []int{1, 4, 5, 2}, "[2 3]"},
		"bytes, just fit": {DirOptions{MaxPartialBytes: 12}, []int{1, 4, 5, 3}, "[1 2 3]"},
		"too large":       {DirOptions{MaxPartialBytes: 10}, []int{1, 4, 11, 5}, "[0 1 3]"},
		"none":            {DirOptions{MaxPartials: -1}, []int{1, 1}, "[]"},
		"no bytes":        {DirOptions{MaxPartialBytes: -1}, []int{1, 1}, "[]"},
		"no time":         {DirOptions{PartialTTL: -1}, []int{1, 1}, "[]"},
		"defaults":        {DirOptions{}, []int{1, 4, 11, 5}, "[0 1 2 3]"},
	} {
		t.Run(what, func(t *testing.T) {
			id := func(i int) string { return fmt.Sprint("id ", i) }
			present := func(dir string) string {
				kept := []int{}
				for i := range test.sizes {
					if _, err := os.Stat(pathOf(dir, id(i))); err == nil {
						kept = append(kept, i)
					}
				}
				return fmt.Sprint(kept)
			}

			t.Run("suspend", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dir := t.TempDir()
					d := mustOpen(t, dir, test.options)
					writing := begun(t, d, resumableFile("writing", 1000), strings.Repeat("x", 100))
					for i, size := range test.sizes {
						leave(t, d, id(i), strings.Repeat("x", size))
						time.Sleep(time.Hour)
						synctest.Wait()
					}
					if got := present(dir); got != test.want {
						t.Errorf("kept %s, want %s", got, test.want)
					}
					if _, err := os.Stat(pathOf(dir, "writing")); err != nil {
						t.Error(err)
					}
					if err := writing.Abort(); err != nil {
						t.Error(err)
					}
				})
			})
			t.Run("open", func(t *testing.T) {
				dir := t.TempDir()
				d := mustOpen(t, dir, DirOptions{})
				for i, size := range test.sizes {
					leave(t, d, id(i), strings.Repeat("x", size))
					age(t, pathOf(dir, id(i)), time.Duration(len(test.sizes)-i)*time.Hour)
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				mustOpen(t, dir, test.options)
				if got := present(dir); got != test.want {
					t.Errorf("kept %s, want %s", got, test.want)
				}
			})
		})
	}
}
