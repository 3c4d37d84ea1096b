package commands

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// KeepsDigests reports whether the file system of temporary folders has extended
// attributes.
func KeepsDigests(t *testing.T) bool {
	folder := t.TempDir()
	keepIn(t, folder, "f")
	reader, err := dir.OpenReader(folder)
	must(t, err)
	defer reader.Close()
	f, err := reader.Open(t.Context(), "f")
	must(t, err)
	defer f.Close()
	notes, err := f.Notes(t.Context())
	must(t, err)
	return len(notes) > 0
}

// keepIn stores a file in a folder.
func keepIn(t *testing.T, folder, name string) {
	t.Helper()
	store, err := dir.Open(folder, dir.Options{})
	must(t, err)
	defer store.Close()
	digest := wire.Digests()[0]
	p, err := store.Create(t.Context(), storage.File{
		Name: name, ModTime: time.Unix(1_000_000_000, 0), Digest: storage.Digest{Name: digest.Name, New: digest.New},
	})
	must(t, err)
	_, err = p.Commit(t.Context(), storage.Sum{})
	must(t, err)
}

// storedFiles makes a store with one file that was received, and one that was not.
func storedFiles(t *testing.T) {
	keepIn(t, "store", "report.pdf")
	must(t, os.WriteFile(filepath.Join("store", "theirs"), []byte("theirs"), 0o666))
}

// damagedFile makes a store with one file that was received, and has other contents now.
func damagedFile(t *testing.T) {
	keepIn(t, "store", "report.pdf")
	path := filepath.Join("store", "report.pdf")
	must(t, os.WriteFile(path, []byte("x"), 0o666))
	must(t, os.Chtimes(path, time.Time{}, time.Unix(1_000_000_000, 0)))
}
