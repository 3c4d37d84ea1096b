//go:build unix

package storage

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Somebody puts something else in the file's place after Commit has looked at
// it: that must neither block the upload nor pass for the file.
func TestSwappedWhileCompared(t *testing.T) {
	for what, plant := range map[string]func(name string) error{
		"FIFO":    func(name string) error { return syscall.Mkfifo(name, 0o666) },
		"symlink": func(name string) error { return os.Symlink("same", name) },
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			d, w := watchDir(t, dir, Rename)
			mustUpload(t, d, "same", "new")
			mustUpload(t, d, "f", "new")
			w.before = func(call string) error {
				if call != "open f" {
					return nil
				}
				name := filepath.Join(dir, "f")
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
