//go:build unix

package dir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
)

// Whatever somebody has put under the name of an upload is neither followed
// nor opened so that it blocks, and only Replace does away with a symlink.
func TestPlantedNames(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	for what, plant := range map[string]func(t *testing.T, name string) error{
		"FIFO":             func(t *testing.T, name string) error { return syscall.Mkfifo(name, 0o666) },
		"symlink out":      func(t *testing.T, name string) error { return os.Symlink(outside, name) },
		"symlink to same":  func(t *testing.T, name string) error { return os.Symlink("same", name) },
		"dangling symlink": func(t *testing.T, name string) error { return os.Symlink("nothing", name) },
		"device": func(t *testing.T, name string) error {
			if os.Getuid() != 0 {
				t.Skip("only root can make a device")
			}
			return syscall.Mknod(name, syscall.S_IFCHR|0o666, 1<<8|5) // /dev/zero
		},
	} {
		t.Run(what, func(t *testing.T) {
			for _, c := range []storage.Conflict{storage.Rename, storage.Replace, storage.Refuse} {
				if err := os.WriteFile(outside, []byte("new"), 0o666); err != nil {
					t.Fatal(err)
				}
				folder := t.TempDir()
				d := openStore(t, folder, c)
				if _, err := put(d, "same", "new"); err != nil {
					t.Fatal(err)
				}
				target := filepath.Join(folder, "f")
				if err := plant(t, target); err != nil {
					t.Fatal(err)
				}
				before, err := os.Lstat(target)
				if err != nil {
					t.Fatal(err)
				}
				r, err := put(d, "f", "new")

				var bad *storage.NameError
				switch symlink := before.Mode()&os.ModeSymlink != 0; {
				case c == storage.Rename && (err != nil || r.Name != "f (2)"),
					c == storage.Refuse && !errors.Is(err, storage.ErrExists),
					c == storage.Replace && symlink && (err != nil || r.Name != "f"),
					c == storage.Replace && !symlink && !errors.As(err, &bad):
					t.Errorf("%v: receipt %+v, error %v", c, r, err)
				}
				if after, err := os.Lstat(target); err != nil || os.SameFile(before, after) == (c == storage.Replace && bad == nil) {
					t.Errorf("%v: afterwards %v, %v", c, after, err)
				}
				if data, err := os.ReadFile(outside); err != nil || string(data) != "new" {
					t.Errorf("%v: outside %q, %v", c, data, err)
				}
				if err := d.Err(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestPlantedFolder(t *testing.T) {
	outside := t.TempDir()
	folder := t.TempDir()
	d := openStore(t, folder, storage.Rename)
	if err := os.Mkdir(filepath.Join(folder, "inside"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"out": outside, "in": "inside", "up": "..", "lost": "nothing"} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
		var bad *storage.NameError
		if _, err := put(d, name+"/f", "new"); !errors.As(err, &bad) {
			t.Errorf("%s: error %v, want a NameError", name, err)
		}
	}
	// The folder is known to be one, and then it is a symlink.
	if _, err := put(d, "a/f", "new"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "a")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(folder, "a")); err != nil {
		t.Fatal(err)
	}
	if r, err := put(d, "a/f", "new"); err == nil {
		t.Errorf("stored through a symlink: %+v", r)
	}
	entries, err := os.ReadDir(outside)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(0, len(entries)); diff != "" {
		t.Errorf("files outside: %v", entries)
	}
	if err := d.Err(); err != nil {
		t.Error(err)
	}
}

// A file that the server may not read is left alone, and so is its like.
func TestUnreadableFileIsKept(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can read everything")
	}
	folder := t.TempDir()
	d := openStore(t, folder, storage.Rename)
	if err := os.WriteFile(filepath.Join(folder, "f"), []byte("new"), 0); err != nil {
		t.Fatal(err)
	}
	if r, err := put(d, "f", "new"); err != nil || r.Name != "f (2)" {
		t.Errorf("receipt %+v, error %v", r, err)
	}
}

func TestNoSpaceIsFoundOutAtOnce(t *testing.T) {
	folder := t.TempDir()
	d := openStore(t, folder, storage.Rename)
	_, err := d.Create(t.Context(), storage.File{Name: "f", Size: 1 << 60})
	if err == nil {
		t.Skip("this system or filesystem cannot reserve space")
	}
	if !errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("Create: error %v, want ErrNoSpace", err)
	}
	if left := hidden(t, folder); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if _, err := put(d, "f", strings.Repeat("x", 100_000)); err != nil {
		t.Error(err)
	}
}
