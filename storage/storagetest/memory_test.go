package storagetest_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
)

func TestMemoryContract(t *testing.T) {
	storagetest.Run(t, func(t *testing.T, c storage.Conflict) (storage.Store, func() fs.FS) {
		m := storagetest.NewMemory()
		m.OnConflict = c
		return m, m.FS
	})
}

func TestMemoryFaults(t *testing.T) {
	broken := errors.New("broken")
	for step, want := range map[string]struct {
		stored, failed bool
	}{
		storagetest.Create:    {},
		storagetest.Write:     {},
		storagetest.Sync:      {failed: true},
		storagetest.Publish:   {},
		storagetest.Published: {stored: true},
	} {
		m := storagetest.NewMemory()
		m.Fault = func(s string) error {
			if s == step {
				return broken
			}
			return nil
		}
		err := put(m, "a", "hello")
		if !errors.Is(err, broken) {
			t.Errorf("%s: error %v, want %v", step, err, broken)
		}
		if failed := errors.Is(m.Err(), storage.ErrFailed); failed != want.failed || errors.Is(err, storage.ErrFailed) != failed {
			t.Errorf("%s: Err %v, error %v", step, m.Err(), err)
		}
		files := map[string][]byte{}
		if want.stored {
			files["a"] = []byte("hello")
		}
		if diff := cmp.Diff(files, m.Files()); diff != "" {
			t.Errorf("%s: files (-want +got):\n%s", step, diff)
		}
	}
}

func put(s storage.Store, name, data string) error {
	p, err := s.Create(context.Background(), storage.File{Name: name, Size: -1})
	if err != nil {
		return err
	}
	if _, err := p.ReadFrom(strings.NewReader(data)); err != nil {
		return errors.Join(err, p.Abort())
	}
	_, err = p.Commit(context.Background(), storage.Sum{Size: -1})
	return err
}
