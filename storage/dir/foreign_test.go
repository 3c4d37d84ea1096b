package dir_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/labnet/labnet/storage/dir"
)

// TestForeign: Open leaves a file of the caller's in the hidden folder alone,
// and no other.
func TestForeign(t *testing.T) {
	folder := t.TempDir()
	open := func(foreign ...string) {
		t.Helper()
		d, err := dir.Open(folder, dir.Options{Foreign: foreign})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if want := filepath.Join(folder, ".labnet"); d.Hidden() != want {
			t.Errorf("Hidden: %s, want %s", d.Hidden(), want)
		}
	}
	open()
	mine, other := filepath.Join(folder, ".labnet", "mine"), filepath.Join(folder, ".labnet", "other")
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
