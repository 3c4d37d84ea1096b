//go:build unix

package atomicfile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOwner: what root makes in a folder of another user is that user's, and a link
// planted in place of the lock gives nothing away.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	must(t, os.Chown(dir, 1234, 1234))
	must(t, MakeFolder(filepath.Join(dir, "inner"), 0o700))
	file, other := filepath.Join(dir, "inner", "file"), filepath.Join(t.TempDir(), "of root")
	must(t, os.WriteFile(other, nil, 0o600))
	must(t, os.Symlink(other, file+"2.lock"))
	must(t, Change(file, 0o600, anyFile, add("line")))
	must(t, Change(file, 0o600, anyFile, add("line")))
	must(t, Change(file+"2", 0o600, anyFile, add("line")))
	for name, want := range map[string]uint32{filepath.Join(dir, "inner"): 1234, file: 1234, file + ".lock": 1234, file + "2": 1234, other: 0} {
		info, err := os.Stat(name)
		must(t, err)
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != want {
			t.Errorf("%s belongs to %d, want %d", name, uid, want)
		}
	}
}
