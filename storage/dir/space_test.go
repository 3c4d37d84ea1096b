package dir

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
)

// A disk has so many bytes free, whatever is written to it, unless it counts
// what is allocated. It cannot allocate if it is told so.
type medium struct {
	*osFilesystem
	free      int64
	files     int64 // 0: any number
	looks     int
	allocates bool
	full      error // why it does not allocate
	err       error
}

func (m *medium) Free(string) (freeSpace, error) {
	m.looks++
	free := freeSpace{bytes: m.free, files: math.MaxInt64}
	if m.files > 0 {
		free.files, free.all = m.files, 64*10
	}
	return free, m.err
}

func (m *medium) OpenFile(name string, flag int, perm os.FileMode) (file, error) {
	f, err := m.osFilesystem.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return mediumFile{f, m}, nil
}

type mediumFile struct {
	file
	m *medium
}

func (f mediumFile) Allocate(size int64) error {
	if f.m.full != nil {
		return f.m.full
	}
	if !f.m.allocates {
		return errors.ErrUnsupported
	}
	f.m.free -= size
	return nil
}

func (f mediumFile) CloneFrom(file) error { return errors.ErrUnsupported }

func (f mediumFile) Write(b []byte) (int, error) {
	if !f.m.allocates {
		f.m.free -= int64(len(b))
	}
	return f.file.Write(b)
}

// openMedium opens a store on a disk, of which it keeps 1000 bytes free.
func openMedium(t *testing.T, free int64) (*Store, *medium) {
	t.Helper()
	folder := t.TempDir()
	root, err := openRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	m := &medium{osFilesystem: root, free: free}
	d, err := newStore(folder, root, m, Options{KeepFree: 1000})
	if err != nil {
		t.Fatal(err)
	}
	d.namelessFrom = 0 // those would not be the disk's
	t.Cleanup(func() {
		d.Close()
		if d.space.promised != 0 {
			t.Errorf("%d bytes are promised to nobody", d.space.promised)
		}
	})
	return d, m
}

func (d *Store) mustCreate(t *testing.T, name string, size int64) storage.Partial {
	t.Helper()
	p, err := d.Create(t.Context(), storage.File{Name: name, Size: size})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// refuses checks that there is no room for a file, of which nothing is made.
func (d *Store) refuses(t *testing.T, size int64) {
	t.Helper()
	before := len(files(t, d.path))
	_, err := d.Create(t.Context(), storage.File{Name: "refused", Size: size})
	if !errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("%d bytes: error %v, want ErrNoSpace", size, err)
	}
	var space *storage.SpaceError
	if !errors.As(err, &space) || space.Needed != size || space.Free < 0 || space.Free >= max(1, size) {
		t.Errorf("%d bytes: error %v does not say how many are needed and free", size, err)
	}
	if after := len(files(t, d.path)); after != before {
		t.Errorf("%d files in place of %d", after, before)
	}
}

// TestKeepFree: what would leave less than is to be kept is refused, also when it
// is only promised.
func TestKeepFree(t *testing.T) {
	for _, allocates := range []bool{false, true} {
		t.Run(fmt.Sprintf("allocates=%t", allocates), func(t *testing.T) {
			d, m := openMedium(t, 1_000_000)
			m.allocates = allocates
			d.refuses(t, 999_001)
			first := d.mustCreate(t, "a", 400_000)
			d.refuses(t, 599_001)
			second := d.mustCreate(t, "b", 300_000)
			d.refuses(t, 299_001)
			if _, err := first.ReadFrom(strings.NewReader(strings.Repeat("x", 400_000))); err != nil {
				t.Fatal(err)
			}
			d.refuses(t, 299_001) // it was counted already
			d.mustCreate(t, "e", 299_000).Abort()
			if allocates {
				m.free += 299_000
			}
			if _, err := first.Commit(t.Context(), storage.Sum{Size: 400_000}); err != nil {
				t.Fatal(err)
			}
			d.refuses(t, 299_001)
			third := d.mustCreate(t, "c", 290_000)
			for _, p := range []storage.Partial{second, third} {
				if err := p.Abort(); err != nil {
					t.Fatal(err)
				}
			}
			if allocates {
				m.free += 300_000 + 290_000
			}
			d.mustCreate(t, "d", 599_000).Abort()

			m.free = 999 // somebody else has taken the rest
			d.refuses(t, 0)
			if err := d.MakeFolder(t.Context(), "refused folder", nil); !errors.Is(err, storage.ErrNoSpace) {
				t.Errorf("MakeFolder: error %v, want ErrNoSpace", err)
			}
			if err := d.Err(); err != nil {
				t.Errorf("the store failed: %v", err)
			}
		})
	}
}

// TestKeepFreeOfStreams: what has no size is refused as soon as it is too much.
func TestKeepFreeOfStreams(t *testing.T) {
	d, m := openMedium(t, 1_000_000)
	p := d.mustCreate(t, "stream", -1)
	n, err := p.ReadFrom(io.MultiReader(strings.NewReader(strings.Repeat("x", 2_000_000))))
	if !errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("error %v, want ErrNoSpace", err)
	}
	if n > 999_000 || m.free < 1000 {
		t.Errorf("%d bytes taken, %d free", n, m.free)
	}
	if _, err := p.Commit(t.Context(), storage.Sum{Size: -1}); !errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("Commit: error %v, want ErrNoSpace", err)
	}
	if diff := cmp.Diff(map[string]string{}, files(t, d.path)); diff != "" {
		t.Errorf("kept:\n%s", diff)
	}
}

// TestKeepFreeResumes: an upload that goes on needs room for its rest only, and
// for no more if it begins again.
func TestKeepFreeResumes(t *testing.T) {
	d, m := openMedium(t, 1_000_000)
	file := storage.File{Name: "f", ID: "id", Size: 900_000, Digest: storage.Digest{Name: "sha256", New: sha256.New}, Proofs: proofs}
	p, err := d.Create(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.ReadFrom(strings.NewReader(strings.Repeat("x", 600_000))); err != nil {
		t.Fatal(err)
	}
	if err := p.Suspend(); err != nil {
		t.Fatal(err)
	}
	m.free = 200_000
	if _, err := d.Create(t.Context(), file); !errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("error %v, want ErrNoSpace", err)
	}
	if len(d.Leftovers()) != 1 {
		t.Error("what was left is gone")
	}
	m.free = 301_000
	if p, err = d.Create(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if got := p.Offer().Size; got != 600_000 {
		t.Errorf("resumed at %d", got)
	}
	if err := p.Restart(); err != nil {
		t.Error(err)
	}
	m.free += 600_000 // which Restart has given back
	d.refuses(t, 1)
	if err := p.Abort(); err != nil {
		t.Fatal(err)
	}
}

// TestKeepFreeLooksSeldom: for many small files in a second once.
func TestKeepFreeLooksSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, m := openMedium(t, 1<<40)
		for range 2 {
			for i := range 100 {
				d.mustCreate(t, fmt.Sprint(i), 4096).Abort()
			}
			time.Sleep(lookAgain)
		}
		if m.looks != 2 {
			t.Errorf("looked %d times in two seconds", m.looks)
		}
	})
}

// TestKeepFiles: some inodes are kept free as some bytes are.
func TestKeepFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, m := openMedium(t, 1<<30)
		m.files = 13 // of which a 64th of all is kept: 10
		time.Sleep(lookAgain)
		for i := range 2 {
			d.mustCreate(t, fmt.Sprint(i), 10)
		}
		stream := d.mustCreate(t, "stream", -1)
		m.files = 10
		refuse := func() {
			t.Helper()
			for _, size := range []int64{-1, 0, 10} {
				if _, err := d.Create(t.Context(), storage.File{Name: "refused", Size: size}); !errors.Is(err, storage.ErrNoFiles) {
					t.Errorf("size %d: %v, want ErrNoFiles", size, err)
				}
			}
			if err := d.MakeFolder(t.Context(), "refused folder", nil); !errors.Is(err, storage.ErrNoFiles) {
				t.Errorf("folder: %v, want ErrNoFiles", err)
			}
		}
		refuse()
		time.Sleep(lookAgain)
		refuse()
		if _, err := stream.ReadFrom(strings.NewReader(strings.Repeat("x", 1<<20))); err != nil {
			t.Errorf("what has its inode already: %v", err)
		}
		m.files = 12
		time.Sleep(lookAgain)
		if err := d.MakeFolder(t.Context(), "folder", nil); err != nil {
			t.Error(err)
		}
		d.mustCreate(t, "f", 0)
		m.files = 10
		refuse()
	})
}

// TestFree: what cannot be told is not kept; what fails is told.
func TestFree(t *testing.T) {
	d, m := openMedium(t, 0)
	m.err = io.ErrUnexpectedEOF
	if _, err := d.Create(t.Context(), storage.File{Name: "f", Size: 1}); !errors.Is(err, m.err) {
		t.Errorf("error %v, want %v", err, m.err)
	}
	m.err = errors.ErrUnsupported
	d.mustCreate(t, "f", 1).Abort()
	if free, err := d.os.Free("."); errors.Is(err, errors.ErrUnsupported) {
		t.Log("here nobody can tell what is free")
	} else if err != nil || free.bytes <= 0 {
		t.Errorf("%d bytes are free, error %v", free, err)
	}
}
