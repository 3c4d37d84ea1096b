package dir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/storage"
)

// TestGone: a store whose directory is no longer at its path says so and keeps
// nothing until the directory is back.
func TestGone(t *testing.T) {
	mkdir := func(path string) error { return os.Mkdir(path, 0o777) }
	touch := func(path string) error { return os.WriteFile(path, nil, 0o666) }
	loop := func(path string) error { return os.Symlink("store", path) }
	for _, test := range []struct {
		name, moved string
		replace     func(path string) error
	}{
		{"moved", "parent/store", nil},
		{"parent moved", "parent", nil},
		{"another folder", "parent/store", mkdir},
		{"a file", "parent/store", touch},
		{"parent is a file", "parent", touch},
		{"a loop", "parent/store", loop},
		{"hidden folder moved", "parent/store/.labnet", nil},
		{"another hidden folder", "parent/store/.labnet", mkdir},
		{"another lock", "parent/store/.labnet/lock", touch},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				top := t.TempDir()
				store, away := filepath.Join(top, "parent", "store"), filepath.Join(top, "away")
				d := mustOpen(t, store, Options{})
				if err := d.Err(); err != nil {
					t.Fatal(err)
				}
				f := storage.File{Name: "a/f", Size: 3}
				one, other := begun(t, d, f, "new"), begun(t, d, f, "ne")
				moved := filepath.Join(top, filepath.FromSlash(test.moved))
				if err := os.Rename(moved, away); err != nil {
					t.Skip("this system does not move what is open: ", err)
				}
				if test.replace != nil {
					if err := test.replace(moved); err != nil {
						t.Skip(err)
					}
				}

				// The file would not be at the path of its receipt.
				if !strings.Contains(test.moved, hidden) {
					if r, err := one.Commit(t.Context(), storage.Sum{Size: 3}); !errors.Is(err, storage.ErrGone) {
						t.Errorf("Commit: receipt %+v, error %v", r, err)
					}
					if err := d.MakeFolder(t.Context(), "a", nil); !errors.Is(err, storage.ErrGone) {
						t.Errorf("MakeFolder: %v", err)
					}
					for _, name := range []string{"a", "store/a"} {
						if _, err := os.Lstat(filepath.Join(away, name)); err == nil {
							t.Errorf("%s was made in what was moved", name)
						}
					}
				}

				time.Sleep(lookAgain)
				_, cerr := d.Create(t.Context(), f)
				_, rerr := other.ReadFrom(strings.NewReader("w"))
				for what, err := range map[string]error{"Err": d.Err(), "Create": cerr, "ReadFrom": rerr} {
					if !errors.Is(err, storage.ErrGone) || !errors.Is(err, storage.ErrDegraded) {
						t.Errorf("%s: %v", what, err)
					}
				}
				one.Abort()
				other.Abort()

				if test.replace != nil {
					if err := os.Remove(moved); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Rename(away, moved); err != nil {
					t.Fatal(err)
				}
				time.Sleep(lookAgain)
				if _, err := begun(t, d, f, "new").Commit(t.Context(), storage.Sum{Size: 3}); err != nil {
					t.Errorf("Commit: %v", err)
				}
				if got := tree(t, store)["a/f"]; got != "new" {
					t.Errorf("kept %q", got)
				}
			})
		})
	}
}

// TestStillThere: a store that was moved and can still be reached by its path works.
func TestStillThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		top := t.TempDir()
		store, away := filepath.Join(top, "store"), filepath.Join(top, "away")
		d := mustOpen(t, store, Options{})
		if err := errors.Join(os.Rename(store, away), os.Symlink("away", store)); err != nil {
			t.Skip(err)
		}
		time.Sleep(lookAgain)
		r, err := begun(t, d, storage.File{Name: "f", Size: 3}, "new").Commit(t.Context(), storage.Sum{Size: 3})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(r.Path); string(got) != "new" {
			t.Errorf("%q holds %q, error %v", r.Path, got, err)
		}
	})
}
