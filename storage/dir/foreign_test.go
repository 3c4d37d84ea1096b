package storage_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/labnet/labnet/storage"
)

// TestForeign: OpenDir leaves a file of the caller's in the hidden folder alone,
// and no other.
func TestForeign(t *testing.T) {
	dir := t.TempDir()
	open := func(foreign ...string) {
		t.Helper()
		d, err := storage.OpenDir(dir, storage.DirOptions{Foreign: foreign})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if want := filepath.Join(dir, ".labnet"); d.Hidden() != want {
			t.Errorf("Hidden: %s, want %s", d.Hidden(), want)
		}
	}
	open()
	mine, other := filepath.Join(dir, ".labnet", "mine"), filepath.Join(dir, ".labnet", "other")
	for _, file := range []string{mine, other} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open("mine")
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(other); !os.IsNotExist(err) {
		t.Errorf("the other one: %v", err)
	}
}
