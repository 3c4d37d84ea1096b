package storagetest

import (
	"os"
	"testing"
)

// MemoryDir returns an empty folder in memory, where there is such a thing, or
// else one of t.TempDir. It is for tests that sync thousands of times and are not
// about the disk: there they take a quarter of the time (TestEveryCallFails, ext4).
func MemoryDir(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "labnet")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}
