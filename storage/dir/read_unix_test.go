//go:build unix

package dir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/labnet/labnet/storage"
)

// TestReaderLeavesOut: what is no file of the store is not read, and nobody waits for a
// FIFO.
func TestReaderLeavesOut(t *testing.T) {
	folder, outside := t.TempDir(), t.TempDir()
	d := mustOpen(t, folder, Options{})
	mustUpload(t, d, "a/f", "x")
	leave(t, d, "id", "left")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Skip(err)
		}
	}
	must(os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	must(os.Symlink(outside, filepath.Join(folder, "out")))
	must(os.Symlink(filepath.Join(outside, "secret"), filepath.Join(folder, "secret")))
	must(os.Symlink("a/f", filepath.Join(folder, "in")))
	must(os.Symlink("a", filepath.Join(folder, "in-folder")))
	must(syscall.Mkfifo(filepath.Join(folder, "fifo"), 0o666))
	r := mustRead(t, folder)
	defer r.Close()
	var all []string
	if err := r.Walk(t.Context(), func(f storage.Found) error { all = append(all, f.Name); return f.Err }); err != nil {
		t.Error(err)
	}
	if !slices.Equal(all, []string{"a/f"}) {
		t.Errorf("found %q", all)
	}
	for _, name := range []string{"secret", "in", "fifo", "a"} {
		if k, err := r.Open(context.Background(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	for _, name := range []string{"out/secret", "../x"} {
		if k, err := r.Open(context.Background(), name); err == nil {
			t.Errorf("%s: %v", name, k)
		}
	}
}
