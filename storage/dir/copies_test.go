package dir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labnet/labnet/storage"
)

// TestManyCopies: an upload reads a bounded number of those that have its name
// already, even if they differ in the last byte only.
func TestManyCopies(t *testing.T) {
	const copies, size = 60, 1 << 20
	d, w := watchDir(t, t.TempDir(), storage.Rename)
	body := strings.Repeat("x", size-3)
	for n := range copies {
		name := filepath.Join(d.path, filepath.FromSlash(storage.NumberedName("f", n+1)))
		if err := os.WriteFile(name, fmt.Appendf(nil, "%s%03d", body, n), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	w.taken()
	r, err := upload(d, "f", body+"new")
	if want := storage.NumberedName("f", copies+1); err != nil || r.Name != want {
		t.Errorf("kept as %q, %v; want %q", r.Name, err, want)
	}
	opened := 0
	for _, call := range w.taken() {
		if strings.HasPrefix(call, "open f") {
			opened++
		}
	}
	if opened < 2 || opened > maxCompared {
		t.Errorf("compared with %d files, want at most %d", opened, maxCompared)
	}
	// What is the same as one of the first is found.
	if r, err := upload(d, "f", body+"003"); err != nil || !r.Unchanged || r.Name != storage.NumberedName("f", 4) {
		t.Errorf("kept as %+v, %v", r, err)
	}
}
