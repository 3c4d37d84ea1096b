//go:build unix

package dir

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What is no directory is no store, and a FIFO is not waited for.
func TestStoreIsADirectory(t *testing.T) {
	for what, make := range map[string]func(name string) error{
		"FIFO": func(name string) error { return syscall.Mkfifo(name, 0o666) },
		"file": func(name string) error { return os.WriteFile(name, nil, 0o666) },
		"link to a file": func(name string) error {
			return errors.Join(os.WriteFile(name+".file", nil, 0o666), os.Symlink(name+".file", name))
		},
	} {
		t.Run(what, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "store")
			if err := make(name); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(name, Options{}); !errors.Is(err, syscall.ENOTDIR) {
				t.Errorf("OpenDir: %v, want ENOTDIR", err)
			}
		})
	}
}
