//go:build unix

package dir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/labnet/labnet/storage"
)

// Somebody puts something else in the file's place after Commit has looked at
// it: that must neither block the upload nor pass for the file.
func TestSwappedWhileCompared(t *testing.T) {
	for what, plant := range map[string]func(name string) error{
		"FIFO":    func(name string) error { return syscall.Mkfifo(name, 0o666) },
		"symlink": func(name string) error { return os.Symlink("same", name) },
	} {
		t.Run(what, func(t *testing.T) {
			folder := t.TempDir()
			d, w := watchDir(t, folder, storage.Rename)
			mustUpload(t, d, "same", "new")
			mustUpload(t, d, "f", "new")
			w.before = func(call string) error {
				if call != "open f" {
					return nil
				}
				name := filepath.Join(folder, "f")
				if err := os.Remove(name); err != nil {
					return err
				}
				return plant(name)
			}
			if r := mustUpload(t, d, "f", "new"); r.Name != "f (2)" || r.Unchanged {
				t.Errorf("receipt %+v", r)
			}
		})
	}
}

// Somebody puts something else in the folder's place before its name is made
// durable: the file is not acknowledged, and the store goes on.
func TestSwappedFolder(t *testing.T) {
	outside := t.TempDir()
	for what, plant := range map[string]func(name string) error{
		"FIFO":    func(name string) error { return syscall.Mkfifo(name, 0o666) },
		"file":    func(name string) error { return os.WriteFile(name, nil, 0o666) },
		"symlink": func(name string) error { return os.Symlink(outside, name) },
		"nothing": func(string) error { return nil },
	} {
		t.Run(what, func(t *testing.T) {
			folder := t.TempDir()
			d, w := watchDir(t, folder, storage.Rename)
			mustUpload(t, d, "folder/same", "new")
			w.before = func(call string) error {
				if call != "open folder" {
					return nil
				}
				name := filepath.Join(folder, "folder")
				if err := os.Rename(name, name+".old"); err != nil {
					return err
				}
				return plant(name)
			}
			if r, err := upload(d, "folder/f", "new"); err == nil {
				t.Errorf("receipt %+v", r)
			}
			if err := d.Err(); err != nil {
				t.Errorf("the store failed: %v", err)
			}
		})
	}
}

// A filesystem has narrower rules for names than labnet: whoever sent the file
// learns which, and the store goes on.
func TestFilesystemRefusesName(t *testing.T) {
	for err, reason := range map[error]string{
		syscall.ENAMETOOLONG: "too long for the server's filesystem",
		syscall.EILSEQ:       "characters that the server's filesystem cannot keep",
	} {
		for _, op := range []string{"lstat f", "link P f", "move P f"} {
			d, w := watchDir(t, t.TempDir(), storage.Rename)
			hit := false
			w.before = func(call string) error {
				if call == op {
					hit = true
					return err
				}
				return nil
			}
			_, got := upload(d, "f", "new")
			var bad *storage.NameError
			if hit && (!errors.As(got, &bad) || !strings.Contains(bad.Reason, reason)) {
				t.Errorf("%s fails with %v: error %v", op, err, got)
			}
			if op == "lstat f" && !hit {
				t.Error("the name was not looked up")
			}
			if err := d.Err(); err != nil {
				t.Errorf("the store failed: %v", err)
			}
		}
	}
}

// What leads to another filesystem or out of the store is the name's fault, and not
// the server's.
func TestNameLeadsElsewhere(t *testing.T) {
	check := func(what string, err error, reason string) {
		t.Helper()
		var bad *storage.NameError
		if !errors.As(err, &bad) || !strings.Contains(bad.Reason, reason) {
			t.Errorf("%s: error %v", what, err)
		}
	}
	d, w := watchDir(t, t.TempDir(), storage.Rename)
	w.before = func(call string) error {
		if op, _, _ := strings.Cut(call, " "); op == "link" || op == "move" || op == "name" {
			return syscall.EXDEV
		}
		return nil
	}
	if _, err := upload(d, "other/f", "new"); !errors.Is(err, storage.ErrDegraded) {
		t.Errorf("the first time: %v", err)
	}
	_, err := upload(d, "other/f", "new")
	check("another filesystem", err, "another filesystem")

	folder := t.TempDir()
	d, _ = watchDir(t, folder, storage.Rename)
	mustUpload(t, d, "folder/a", "new") // so that it is known
	name := filepath.Join(folder, "folder")
	if err := errors.Join(os.Rename(name, name+".old"), os.Symlink(t.TempDir(), name)); err != nil {
		t.Fatal(err)
	}
	_, err = upload(d, "folder/b", "new")
	check("a file outside", err, "leads out of the store")
	check("a folder outside", d.MakeFolder(t.Context(), "folder/sub", nil), "not a folder here")
	if err := d.Err(); err != nil {
		t.Errorf("the store failed: %v", err)
	}
}
