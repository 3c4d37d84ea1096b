package dir

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/labnet/labnet/storage"
)

// patchy is 4 MiB of zeros with some data, which end on no block's bounds and begin
// and end with zeros.
func patchy() []byte {
	data, random := make([]byte, 4<<20), rand.NewChaCha8([32]byte{1})
	for _, at := range []int{1, 5 * blockSize, 100_000, 1<<20 - 1, 3 << 20} {
		random.Read(data[at : at+5000])
	}
	return data
}

// TestHoles: a file with holes has the right length and contents, in whatever pieces
// it comes and wherever it is interrupted.
func TestHoles(t *testing.T) {
	data := patchy()
	file := storage.File{Name: "f", ID: "id", Size: int64(len(data)), Holes: 3 << 20, Digest: crc, Proofs: proofs}
	for _, piece := range []int64{1 << 20, 37 * blockSize, 70_001, 3 << 20} {
		d := mustOpen(t, t.TempDir(), Options{})
		p := mustCreate(t, d, file)
		for r := bytes.NewReader(data); r.Len() > 0; {
			if _, err := p.ReadFrom(io.LimitReader(r, piece)); err != nil {
				t.Fatal(err)
			}
			if err := p.Suspend(); err != nil {
				t.Fatal(err)
			}
			p = mustCreate(t, d, file)
			if at := file.Size - int64(r.Len()); p.Offer().Size != at {
				t.Fatalf("resumed at %d in place of %d", p.Offer().Size, at)
			}
		}
		r, err := p.Commit(t.Context(), storage.Sum{Size: file.Size})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(r.Path); !bytes.Equal(got, data) {
			t.Errorf("in pieces of %d, other contents are kept, error %v", piece, err)
		}
	}
}

// TestHolesNeedNoSpace: a file needs space for what is not a hole, and if its sender
// was wrong about that, no more than there is.
func TestHolesNeedNoSpace(t *testing.T) {
	if !canHaveHoles {
		t.Skip("here what is left out of a file takes space, too")
	}
	data := patchy()
	d, m := openMedium(t, 101_000)
	mustCreate(t, d, storage.File{Name: "huge", Size: 1 << 40, Holes: 1<<40 - 50_000}).Abort()
	d.refuses(t, 1<<20)
	file := storage.File{Name: "f", Size: int64(len(data)), Holes: int64(len(data)) - 50_000}
	p := mustCreate(t, d, file)
	d.refuses(t, 50_001) // the others are promised
	if _, err := p.ReadFrom(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(t.Context(), storage.Sum{Size: file.Size}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(d.path, "f")); !bytes.Equal(got, data) {
		t.Errorf("other contents are kept, error %v", err)
	}
	if m.free < 40_000 {
		t.Errorf("zeros were written: %d bytes are free", m.free)
	}

	liar := mustCreate(t, d, storage.File{Name: "liar", Size: 1 << 20, Holes: 1 << 20})
	if _, err := liar.ReadFrom(bytes.NewReader(bytes.Repeat([]byte("x"), 1<<20))); !errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("error %v, want ErrNoSpace", err)
	}
	if err := liar.Abort(); err != nil {
		t.Fatal(err)
	}
	if m.free < 1000 {
		t.Errorf("%d bytes are free", m.free)
	}
}
