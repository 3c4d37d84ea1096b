package dir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/labnet/labnet/storage"
)

// TestShortNameOfHidden: where a filesystem has a second name for the hidden folder,
// as NTFS has LABNET~1, nothing gets in by that. A bind mount stands in for it.
func TestShortNameOfHidden(t *testing.T) {
	folder := t.TempDir()
	d := openStore(t, folder, storage.Rename)
	short := filepath.Join(folder, "LABNET~1")
	if err := os.Mkdir(short, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(filepath.Join(folder, ".labnet"), short, "", unix.MS_BIND, ""); err != nil {
		t.Skip("only root can mount a folder twice: ", err)
	}
	defer unix.Unmount(short, unix.MNT_DETACH)
	for _, name := range []string{"LABNET~1", "LABNET~1/lock", "LABNET~1/x/f"} {
		var bad *storage.NameError
		if r, err := put(d, name, "x"); !errors.As(err, &bad) || !strings.Contains(bad.Reason, "for itself") {
			t.Errorf("%s: receipt %+v, error %v", name, r, err)
		}
		if err := d.MakeFolder(t.Context(), name, nil); !errors.As(err, &bad) || !strings.Contains(bad.Reason, "for itself") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for _, name := range []string{"LABNET~2/f", "a/LABNET~1/f", "notes~1"} {
		if _, err := put(d, name, "x"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
