package client

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestUploadID: the same file is the same upload, however it is named, and no two
// senders or files have the same.
func TestUploadID(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	must(t, os.MkdirAll(filepath.Join("a", "b"), 0o777))
	must(t, os.WriteFile(filepath.Join("a", "f"), []byte("x"), 0o666))
	info, err := os.Stat(filepath.Join("a", "f"))
	must(t, err)
	id := UploadID(filepath.Join("a", "f"), "f", info)
	names := []string{filepath.Join(dir, "a", "f"), filepath.Join("a", "b", "..", "f")}
	if os.Symlink("a", "link") == nil {
		names = append(names, filepath.Join("link", "f"))
	}
	for _, name := range names {
		if got := UploadID(name, "f", info); got != id {
			t.Errorf("%s has another ID", name)
		}
	}
	t.Chdir("a")
	if got := UploadID("f", "f", info); got != id {
		t.Error("from another folder it has another ID")
	}
	if got := UploadID(filepath.Join("b", "f"), "f", info); got == id {
		t.Error("another file of the same name, size and time has the same ID")
	}
	if got := UploadID("f", "g", info); got == id {
		t.Error("under another name it has the same ID")
	}
	if idOf("one", dir, "f", info) == idOf("two", dir, "f", info) {
		t.Error("two senders have the same ID")
	}
	must(t, os.Chtimes("f", time.Time{}, info.ModTime().Add(time.Second)))
	later, err := os.Stat("f")
	must(t, err)
	if got := UploadID("f", "f", later); got == id {
		t.Error("after a change it has the same ID")
	}
}

// TestSenderIsKept has many processes that look for the secret at once, as far as
// one process can be many.
func TestSenderIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	var all sync.WaitGroup
	got := make([]string, 32)
	for i := range got {
		all.Go(func() {
			var err error
			if got[i], err = keptSecret(dir); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, s := range got {
		if s != got[0] || len(s) != 64 {
			t.Fatalf("secrets %q", got)
		}
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	file := filepath.Join(dir, secretName)
	info, err := os.Stat(file)
	must(t, err)
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode != 0o600 {
		t.Errorf("others may read it: %v", mode)
	}

	// What a power cut left of it is replaced.
	for _, spoilt := range []string{"", "short", got[0] + "\n"} {
		must(t, os.WriteFile(file, []byte(spoilt), 0o600))
		first, err := keptSecret(dir)
		must(t, err)
		if second, err := keptSecret(dir); err != nil || second != first || len(first) != 64 {
			t.Errorf("%q became %q, then %q: %v", spoilt, first, second, err)
		}
	}
}

// TestSenderWithoutHome cannot keep a secret, and says so.
func TestSenderWithoutHome(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	if dir := stateFolder(); dir != "" {
		t.Errorf("state is kept in %s", dir)
	}
	t.Setenv("HOME", filepath.Join(t.TempDir(), "no-home"))
	t.Setenv("USERPROFILE", os.Getenv("HOME"))
	if dir := stateFolder(); dir != "" {
		t.Errorf("a home is made for %s", dir)
	}
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o666))
	for _, dir := range []string{"", filepath.Join(file, "labnet")} {
		if secret, err := keptSecret(dir); err == nil {
			t.Errorf("in %q: %q", dir, secret)
		}
	}
	if a, b := newSender(""), newSender(""); a != b || a == "" {
		t.Errorf("without a home the sender is %q, then %q", a, b)
	}
}
