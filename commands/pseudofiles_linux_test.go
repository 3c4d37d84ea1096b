package commands_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestPseudoFiles: what the kernel makes up when it is read is sent whole, although
// its size is not what the kernel says.
func TestPseudoFiles(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	addr, _ := startServe(t, "--store", store)
	for _, name := range []string{"/proc/version", "/proc/filesystems", "/sys/class/net/lo/mtu", "/sys/kernel/mm/transparent_hugepage/enabled"} {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Logf("not tried: %v", err)
			continue
		}
		run(t, labnetCommand(t, "upload", "-a", addr, name))
		if got := readFile(t, filepath.Join(store, filepath.Base(name))); !bytes.Equal(got, want) {
			t.Errorf("of %s this was kept: %q", name, got)
		}
	}
	if out, err := labnetCommand(t, "upload", "-a", addr, "/proc/self/mem").CombinedOutput(); err == nil {
		t.Errorf("a file that cannot be read was sent: %s", out)
	}
}
