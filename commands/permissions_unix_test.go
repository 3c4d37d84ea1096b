//go:build unix

package commands_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// modesBelow lists the permissions of all that is below a folder.
func modesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	modes := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		modes[rel] = fi.Mode().String()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return modes
}

// TestPermissionsOfTrees: what is kept has the permissions of its source, files of
// no permission and folders that hide what is in them included, though the umask
// of the server takes nothing away.
func TestPermissionsOfTrees(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	make := func(name string, mode fs.FileMode) {
		t.Helper()
		name = filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	make("shared/plain", 0o644)
	make("shared/script", 0o755|fs.ModeSetuid|fs.ModeSetgid)
	make("ssh/id", 0o600)
	make("ssh/deep/er/read-only", 0o444)
	make("open/a/file", 0o666)
	if os.Geteuid() == 0 { // others cannot read it
		make("ssh/none", 0)
	}
	for i := range 50 {
		make(fmt.Sprintf("many/%d", i), 0o640)
	}
	if err := os.MkdirAll(filepath.Join(tree, "ssh/empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{
		".": 0o750, "ssh": 0o700, "ssh/deep": 0o755, "ssh/empty": 0o711, "open": 0o777 | fs.ModeSticky, "many": 0o770 | fs.ModeSetgid,
	} {
		if err := os.Chmod(filepath.Join(tree, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	want := modesBelow(t, dir)
	want["tree/open"] = fs.FileMode(fs.ModeDir | 0o777).String()
	want["tree/many"] = fs.FileMode(fs.ModeDir | 0o770).String()
	want["tree/shared/script"] = fs.FileMode(0o755).String()

	store := filepath.Join(t.TempDir(), "store")
	old := syscall.Umask(0)
	_, addr := launchServe(t, store)
	syscall.Umask(old)
	run(t, labnetCommand(t, "upload", "-a", addr, tree))
	got := modesBelow(t, store)
	delete(got, ".labnet")
	delete(got, ".labnet/lock")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}

	// Without permissions nothing says that a folder may be open to others to write.
	run(t, labnetCommand(t, "upload", "-a", addr, "--no-perms", "--name", "other/tree", tree))
	got = modesBelow(t, filepath.Join(store, "other"))
	for name, want := range map[string]fs.FileMode{
		"tree": fs.ModeDir | 0o755, "tree/ssh": fs.ModeDir | 0o755, "tree/open": fs.ModeDir | 0o755, "tree/ssh/id": 0o666,
	} {
		if got[name] != want.String() {
			t.Errorf("without permissions: %s has %s, want %v", name, got[name], want)
		}
	}

	// What exists stays as it is.
	if err := os.Chmod(filepath.Join(store, "tree", "many"), 0o711); err != nil {
		t.Fatal(err)
	}
	run(t, labnetCommand(t, "upload", "-a", addr, tree))
	if got := modesBelow(t, store)["tree/many"]; got != fs.FileMode(fs.ModeDir|0o711).String() {
		t.Errorf("a folder that was there has %s", got)
	}
}
