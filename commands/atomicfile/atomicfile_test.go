package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func anyFile(fs.FileInfo) error { return nil }

func add(line string) func([]byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) { return fmt.Appendf(nil, "%s%s\n", old, line), nil }
}

// wantFile checks what is in a file, and that its folder has nothing else than its lock.
func wantFile(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	must(t, err)
	if string(got) != want {
		t.Errorf("the file has %q, want %q", got, want)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	must(t, err)
	for _, e := range entries {
		if e.Name() != filepath.Base(file) && e.Name() != filepath.Base(file)+".lock" {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// TestAtOnce: of changes at the same moment none is lost.
func TestAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	var changes sync.WaitGroup
	for i := range 20 {
		changes.Go(func() {
			if err := Change(file, 0o600, anyFile, add(fmt.Sprint("line ", i))); err != nil {
				t.Error(err)
			}
		})
	}
	changes.Wait()
	got, err := os.ReadFile(file)
	must(t, err)
	for i := range 20 {
		if !strings.Contains(string(got), fmt.Sprintf("line %d\n", i)) {
			t.Errorf("line %d is missing", i)
		}
	}
	if n := strings.Count(string(got), "\n"); n != 20 {
		t.Errorf("%d lines", n)
	}
}

// TestFailedChange: what fails leaves the file as it was, and nothing beside it.
func TestFailedChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, Change(file, 0o600, anyFile, add("old")))
	full := errors.New("no space left on device")
	refuse := func(fs.FileInfo) error { return full }
	fail := func([]byte) ([]byte, error) { return nil, full }
	if err := Change(file, 0o600, refuse, add("new")); !errors.Is(err, full) {
		t.Errorf("check: error %v", err)
	}
	if err := Change(file, 0o600, anyFile, fail); !errors.Is(err, full) {
		t.Errorf("edit: error %v", err)
	}
	syncFile = func(*os.File) error { return full } // before the name is another file's
	defer func() { syncFile = (*os.File).Sync }()
	if err := Change(file, 0o600, anyFile, add("new")); !errors.Is(err, full) {
		t.Errorf("sync: error %v", err)
	}
	wantFile(t, file, "old\n")
}

// TestSteps: the contents are durable before they have the name, and then the name.
func TestSteps(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot sync a folder")
	}
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, []byte("old\n"), 0o600))
	var steps []string
	syncFile = func(f *os.File) error {
		now, err := os.ReadFile(file)
		must(t, err)
		info, err := f.Stat()
		must(t, err)
		steps = append(steps, fmt.Sprintf("folder: %t, the name has %q", info.IsDir(), now))
		return f.Sync()
	}
	defer func() { syncFile = (*os.File).Sync }()
	must(t, Change(file, 0o600, anyFile, add("new")))
	want := `folder: false, the name has "old\n"; folder: true, the name has "old\nnew\n"`
	if got := strings.Join(steps, "; "); got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
}

// TestKept: permissions and a symlink stay, and a change of nothing writes nothing.
func TestKept(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has neither")
	}
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(t.TempDir(), "link")
	must(t, os.WriteFile(file, []byte("old\n"), 0o600))
	must(t, os.Chmod(file, 0o640))
	must(t, os.Symlink(file, link))
	must(t, Change(link, 0o600, anyFile, add("new")))
	wantFile(t, file, "old\nnew\n")
	before, err := os.Stat(file)
	must(t, err)
	if before.Mode() != 0o640 {
		t.Errorf("mode %v", before.Mode())
	}
	must(t, Change(link, 0o600, anyFile, func(old []byte) ([]byte, error) { return old, nil }))
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("another file, %v", err)
	}
}
