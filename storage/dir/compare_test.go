package dir

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
)

// TestUnchangedWithoutSpace: what is kept already needs no space, however it turns
// out that there is none, and nothing is written to find out.
func TestUnchangedWithoutSpace(t *testing.T) {
	old := strings.Repeat("old ", small/4)
	other := strings.Repeat("old ", small/4-1) + "new "
	for _, full := range []error{nil, syscall.ENOSPC} {
		name := "nothing is free"
		if full != nil {
			name = "allocate fails"
		}
		t.Run(name, func(t *testing.T) {
			d, m := openMedium(t, 1<<30)
			file := storage.File{Name: "a/f", ID: "id", Size: small, Digest: crc, Proofs: proofs}
			if _, err := begun(t, d, file, old).Commit(t.Context(), storage.Sum{Size: small}); err != nil {
				t.Fatal(err)
			}
			before := files(t, d.path)
			if m.full = full; full == nil {
				m.free, d.space.looked = 10, time.Time{}
			}
			free := m.free
			commit := func(p storage.Partial, reason error) {
				t.Helper()
				r, err := p.Commit(t.Context(), storage.Sum{Size: small})
				if !errors.Is(err, reason) || err == nil && (!r.Unchanged || r.Name != file.Name) {
					t.Errorf("receipt %+v, error %v; want %v", r, err, reason)
				}
			}

			commit(begun(t, d, file, old), nil)
			commit(begun(t, d, file, other), storage.ErrNoSpace)
			again := begun(t, d, file, other)
			if err := again.Restart(); err != nil {
				t.Fatal(err)
			}
			if _, err := again.ReadFrom(strings.NewReader(old)); err != nil {
				t.Fatal(err)
			}
			commit(again, nil)

			half := begun(t, d, file, old[:10])
			if err := half.Suspend(); err != nil || len(d.Leftovers()) > 0 {
				t.Errorf("Suspend: %v, left %v", err, d.Leftovers())
			}
			commit(begun(t, d, file, old[:10]), storage.ErrMismatch)
			if err := d.MakeFolder(t.Context(), "a", nil); err != nil {
				t.Errorf("a folder that is there: %v", err)
			}
			d.onConflict = storage.Refuse
			commit(begun(t, d, file, old), nil)
			commit(begun(t, d, file, other), storage.ErrExists)
			d.onConflict = storage.Replace
			commit(begun(t, d, file, other), storage.ErrNoSpace)
			longer := file
			longer.Size++
			p, err := d.Create(t.Context(), longer)
			if err == nil { // it may begin with the other one
				_, err = p.ReadFrom(strings.NewReader("x"))
				p.Abort()
			}
			if !errors.Is(err, storage.ErrNoSpace) {
				t.Errorf("a longer file: error %v", err)
			}
			if diff := cmp.Diff(before, files(t, d.path)); diff != "" || m.free != free {
				t.Errorf("%d bytes written, files:\n%s", free-m.free, diff)
			}

			// Somebody adds to the file meanwhile.
			grown := begun(t, d, file, old)
			if err := os.WriteFile(filepath.Join(d.path, "a", "f"), []byte(old+"more"), 0o666); err != nil {
				t.Fatal(err)
			}
			commit(grown, storage.ErrNoSpace)
			if err := os.WriteFile(filepath.Join(d.path, "a", "f"), []byte(old), 0o666); err != nil {
				t.Fatal(err)
			}

			// Somebody puts another file there meanwhile.
			late := begun(t, d, file, old)
			path := filepath.Join(d.path, "a", "f")
			if err := errors.Join(os.WriteFile(path+"2", []byte(other), 0o666), os.Rename(path+"2", path)); err != nil {
				t.Skip(err)
			}
			commit(late, storage.ErrNoSpace)
		})
	}
}

// TestDifferenceWithoutSpace: a large file that is another one is refused before it
// has come as a whole, but not at the byte that differs.
func TestDifferenceWithoutSpace(t *testing.T) {
	d, _ := openMedium(t, 0)
	old := make([]byte, 3*compareStep)
	file := storage.File{Name: "f", Size: int64(len(old))}
	path := filepath.Join(d.path, file.Name)
	if err := errors.Join(os.WriteFile(path, nil, 0o666), os.Truncate(path, file.Size)); err != nil {
		t.Fatal(err)
	}
	p := mustCreate(t, d, file)
	defer p.Abort()
	r := bytes.NewReader(old)
	if _, err := p.ReadFrom(io.LimitReader(r, compareStep+10)); err != nil {
		t.Fatal(err)
	}
	old[compareStep+11] = 1
	if n, err := p.ReadFrom(io.LimitReader(r, compareStep-11)); err != nil {
		t.Errorf("error %v after %d bytes more", err, n)
	}
	if _, err := p.ReadFrom(io.LimitReader(r, 1)); !errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("error %v, want ErrNoSpace", err)
	}
}

// TestUnchangedWithoutSpaceIsSynced: what somebody else has put there need not be
// durable yet, nor its name.
func TestUnchangedWithoutSpaceIsSynced(t *testing.T) {
	d, w := watchDir(t, t.TempDir(), storage.Rename)
	old := strings.Repeat("old ", small/4)
	if err := os.WriteFile(filepath.Join(d.path, "f"), []byte(old), 0o666); err != nil {
		t.Fatal(err)
	}
	w.before = func(call string) error {
		if strings.HasPrefix(call, "allocate") {
			return syscall.ENOSPC
		}
		return nil
	}
	p := begun(t, d, storage.File{Name: "f", Size: small, Digest: crc}, old)
	w.taken()
	if r, err := p.Commit(t.Context(), storage.Sum{Size: small}); err != nil || !r.Unchanged {
		t.Fatalf("receipt %+v, error %v", r, err)
	}
	calls := w.taken()
	for _, call := range []string{"sync f", "sync ."} {
		if !slices.Contains(calls, call) {
			t.Errorf("no %q among %q", call, calls)
		}
	}
}

// TestPlantedWhileCreated: what somebody has put in the place of a file in progress is
// not written to.
func TestPlantedWhileCreated(t *testing.T) {
	d, w := watchDir(t, t.TempDir(), storage.Rename)
	planted := filepath.Join(d.path, filepath.FromSlash(partialPath(storage.File{ID: "id"})))
	w.before = func(call string) error {
		if call == "create P" {
			return os.WriteFile(planted, []byte("planted"), 0o666)
		}
		return nil
	}
	p, err := d.Create(t.Context(), storage.File{Name: "f", ID: "id", Size: 3, Digest: crc, Proofs: proofs})
	if err == nil {
		p.Abort()
		t.Error("it was accepted")
	}
}
