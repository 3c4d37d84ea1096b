package dir

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/labnet/labnet/storage"
)

// A file whose bytes somebody has removed before it had its name is not kept,
// and nobody says that it was.
func TestVanishedPartial(t *testing.T) {
	for _, name := range []string{"f", "a/f"} {
		for _, noMove := range []bool{false, true} {
			folder := t.TempDir()
			d, w := watchDir(t, folder, storage.Rename)
			w.noMove = noMove
			p := begun(t, d, resumableFile("id", 3), "new")
			p.(*partial).file.Name = name
			if err := os.Remove(filepath.Join(folder, partialPath(storage.File{ID: "id"}))); err != nil {
				t.Skip("this system does not remove what is open: ", err)
			}
			if r, err := p.Commit(t.Context(), storage.Sum{Size: 3}); err == nil {
				t.Errorf("%s: receipt %+v for nothing", name, r)
			}
			if left := tree(t, folder); len(left) > 0 {
				t.Errorf("%s: visible %v", name, left)
			}
		}
	}
}
