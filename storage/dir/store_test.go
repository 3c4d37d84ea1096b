package dir_test

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
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/storage/storagetest"
)

// runAll runs the suite that all stores pass and that of those with offers.
func runAll(t *testing.T, open storagetest.Open) {
	storagetest.Run(t, open)
	t.Run("offers", func(t *testing.T) { storagetest.RunOffers(t, open) })
}

func TestDirContract(t *testing.T) {
	runAll(t, func(t *testing.T, c storage.Conflict) (storage.Store, func() fs.FS) {
		folder := filepath.Join(t.TempDir(), "made", "by", "the store")
		return openStore(t, folder, c), func() fs.FS { return os.DirFS(folder) }
	})
}

func TestNamelessContract(t *testing.T) {
	runAll(t, func(t *testing.T, c storage.Conflict) (storage.Store, func() fs.FS) {
		folder := t.TempDir()
		d := openStore(t, folder, c)
		if !d.Unname() {
			t.Skip("this filesystem has no files without a name")
		}
		return d, func() fs.FS { return os.DirFS(folder) }
	})
}

// TestPortableNames has a store refuse what only this system can keep.
func TestPortableNames(t *testing.T) {
	folder := t.TempDir()
	d, err := dir.Open(folder, dir.Options{Names: storage.Portable})
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
func openStore(t *testing.T, folder string, c storage.Conflict) *dir.Store {
	t.Helper()
	d, err := dir.Open(folder, dir.Options{OnConflict: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if left := hidden(t, folder); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
	return d
}

// hidden lists the hidden folder, without the lock.
func hidden(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(folder, ".labnet"))
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
	folder := t.TempDir()
	d := openStore(t, folder, storage.Rename)
	_, err := dir.Open(folder, dir.Options{})
	if !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), strconv.Quote(folder)) {
		t.Errorf("second OpenDir: error %v, want ErrLocked that names %s", err, folder)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, folder, storage.Rename)
}

func TestOpenDirRemovesLeftovers(t *testing.T) {
	folder := t.TempDir()
	openStore(t, folder, storage.Rename).Close()
	leftover := filepath.Join(folder, ".labnet", "X.partial")
	if err := os.WriteFile(leftover, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	openStore(t, folder, storage.Rename)
	if left := hidden(t, folder); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
}

func TestOpenDirFails(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	planted := filepath.Join(folder, "planted")
	if err := os.Mkdir(planted, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(planted, ".labnet")); err != nil {
		t.Skip("symlinks cannot be made here:", err)
	}
	for _, folder := range []string{file, filepath.Join(file, "below"), planted} {
		if d, err := dir.Open(folder, dir.Options{}); err == nil {
			d.Close()
			t.Errorf("OpenDir(%q) succeeded", folder)
		}
	}
}

// Close in the midst of uploads leaves whole files or nothing.
func TestCloseDuringUploads(t *testing.T) {
	folder := t.TempDir()
	d := openStore(t, folder, storage.Rename)
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
		if data, err := os.ReadFile(filepath.Join(folder, name.(string))); err != nil || string(data) != name {
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
	folder := t.TempDir()
	r, err := put(openStore(t, folder, storage.Rename), "a/f", "new")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(folder, "a", "f"); r.Path != want {
		t.Errorf("path %q, want %q", r.Path, want)
	}
}

// A large buffer for each of many uploads would take too much memory.
func TestBuffersOfManyUploads(t *testing.T) {
	d := openStore(t, t.TempDir(), storage.Rename)
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
