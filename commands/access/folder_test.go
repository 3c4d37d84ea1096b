package access

import (
	"errors"
	"strings"
	"testing"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
)

// TestNobodyElsesPartial: an interrupted upload is gone on with by its user alone.
func TestNobodyElsesPartial(t *testing.T) {
	m := storagetest.NewMemory()
	file := storage.File{Name: "f", ID: "the same", Size: 10, Digest: storagetest.Digest, Proofs: storagetest.Proofs}
	resumed := func(user string) int64 {
		p, err := confined{m, user, ""}.Create(t.Context(), file)
		must(t, err)
		n := p.Offer().Size
		if n == 0 {
			_, err = p.ReadFrom(strings.NewReader(user))
		}
		must(t, errors.Join(err, p.Suspend()))
		return n
	}
	for i, want := range []int64{0, 0, 5, 3} {
		if n := resumed([]string{"alice", "bob"}[i%2]); n != want {
			t.Errorf("upload %d goes on at %d, want %d", i, n, want)
		}
	}
}
