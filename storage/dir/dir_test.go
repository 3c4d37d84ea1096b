package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
)

func TestDirContract(t *testing.T) {
	storagetest.Run(t, func(t *testing.T, c storage.Conflict) (storage.Store, func() fs.FS) {
		dir := filepath.Join(t.TempDir(), "made", "by", "the store")
		return openDir(t, dir, c), func() fs.FS { return os.DirFS(dir) }
	})
}

func TestNamelessContract(t *testing.T) {
	storagetest.Run(t, func(t *testing.T, c storage.Conflict) (storage.Store, func() fs.FS) {
		dir := t.TempDir()
		d := openDir(t, dir, c)
		if !d.Unname() {
			t.Skip("this filesystem has no files without a name")
		}
		return d, func() fs.FS { return os.DirFS(dir) }
	})
}

// TestPortableNames has a store refuse what only this system can keep.
func TestPortableNames(t *testing.T) {
	dir := t.TempDir()
	d, err := storage.OpenDir(dir, storage.DirOptions{Names: storage.Portable})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, name := range []string{".env", "aux.c", "dot.", "a/.git"} {
		var bad *storage.NameError
		if _, err := put(d, name, "x"); !errors.As(err, &bad) || !strings.Contains(bad.Reason, "portable names only") {
			t.Errorf("%q: error %v", name, err)
		}
		if err := d.MakeFolder(t.Context(), name, nil); !errors.As(err, &bad) {
			t.Errorf("folder %q: error %v", name, err)
		}
	}
	if _, err := put(d, "a/report.pdf", "x"); err != nil {
		t.Error(err)
	}
}

// openDir opens a store that is closed when the test ends, and must by then
// have left nothing in its hidden folder.
func openDir(t *testing.T, dir string, c storage.Conflict) *storage.Dir {
	t.Helper()
	d, err := storage.OpenDir(dir, storage.DirOptions{OnConflict: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if left := hidden(t, dir); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
	return d
}

// hidden lists the hidden folder, without the lock.
func hidden(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, ".labnet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestDirIsOpenOnce(t *testing.T) {
	dir := t.TempDir()
	d := openDir(t, dir, storage.Rename)
	_, err := storage.OpenDir(dir, storage.DirOptions{})
	if !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), strconv.Quote(dir)) {
		t.Errorf("second OpenDir: error %v, want ErrLocked that names %s", err, dir)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	openDir(t, dir, storage.Rename)
}

func TestOpenDirRemovesLeftovers(t *testing.T) {
	dir := t.TempDir()
	openDir(t, dir, storage.Rename).Close()
	leftover := filepath.Join(dir, ".labnet", "X.partial")
	if err := os.WriteFile(leftover, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	openDir(t, dir, storage.Rename)
	if left := hidden(t, dir); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
}

func TestOpenDirFails(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	planted := filepath.Join(dir, "planted")
	if err := os.Mkdir(planted, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(planted, ".labnet")); err != nil {
		t.Skip("symlinks cannot be made here:", err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), planted} {
		if d, err := storage.OpenDir(dir, storage.DirOptions{}); err == nil {
			d.Close()
			t.Errorf("OpenDir(%q) succeeded", dir)
		}
	}
}

// Close in the midst of uploads leaves whole files or nothing.
func TestCloseDuringUploads(t *testing.T) {
	dir := t.TempDir()
	d := openDir(t, dir, storage.Rename)
	var kept sync.Map
	var uploads sync.WaitGroup
	first := make(chan struct{}, 8)
	for i := range 8 {
		uploads.Go(func() {
			for n := 0; ; n++ {
				name := fmt.Sprintf("%d/%d", i, n)
				if _, err := put(d, name, name); err != nil {
					if !errors.Is(err, fs.ErrClosed) {
						t.Error(err)
					}
					return
				}
				kept.Store(name, true)
				if n == 0 {
					first <- struct{}{}
				}
			}
		})
	}
	<-first
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	uploads.Wait()
	for name := range kept.Range {
		if data, err := os.ReadFile(filepath.Join(dir, name.(string))); err != nil || string(data) != name {
			t.Errorf("%s holds %q (%v)", name, data, err)
		}
	}
}

func put(s storage.Store, name, data string) (storage.Receipt, error) {
	p, err := s.Create(context.Background(), storage.File{Name: name, Size: int64(len(data))})
	if err != nil {
		return storage.Receipt{}, err
	}
	if _, err := p.ReadFrom(strings.NewReader(data)); err != nil {
		return storage.Receipt{}, errors.Join(err, p.Abort())
	}
	return p.Commit(context.Background(), storage.Sum{Size: int64(len(data))})
}

func TestReceiptPath(t *testing.T) {
	dir := t.TempDir()
	r, err := put(openDir(t, dir, storage.Rename), "a/f", "new")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "a", "f"); r.Path != want {
		t.Errorf("path %q, want %q", r.Path, want)
	}
}

// A large buffer for each of many uploads would take too much memory.
func TestBuffersOfManyUploads(t *testing.T) {
	d := openDir(t, t.TempDir(), storage.Rename)
	const uploads = 200
	sizes, end := make(chan int, uploads), make(chan struct{})
	var all sync.WaitGroup
	for range uploads {
		p, err := d.Create(t.Context(), storage.File{Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			p.ReadFrom(readerFunc(func(b []byte) (int, error) {
				sizes <- len(b)
				<-end
				return 0, io.EOF
			}))
			if err := p.Abort(); err != nil {
				t.Error(err)
			}
		})
	}
	sum := 0
	for range uploads {
		sum += <-sizes
	}
	close(end)
	all.Wait()
	if sum/uploads > 256<<10 {
		t.Errorf("%d bytes for each upload", sum/uploads)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
