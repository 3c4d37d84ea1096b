//go:build unix

package commands_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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

// TestReceiversPermissions: what --file-mode and --group say rules over senders and
// the umask, for one file and for many at once, and for folders that fit.
func TestReceiversPermissions(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to have another group")
	}
	const group = 12345
	tree := filepath.Join(t.TempDir(), "tree")
	for i := range 40 {
		name := filepath.Join(tree, fmt.Sprintf("secret/%d", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(tree, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "store")
	old := syscall.Umask(0o077)
	_, addr := launchServe(t, store, "--file-mode", "0660", "--group", fmt.Sprint(group))
	syscall.Umask(old)
	run(t, labnetCommand(t, "upload", "-a", addr, filepath.Join(tree, "secret/1")))
	run(t, labnetCommand(t, "upload", "-a", addr, tree))
	run(t, labnetCommand(t, "blob", "-a", addr, "-s", "10"))
	modes := modesBelow(t, store)
	seen := 0
	for name, mode := range modes {
		if strings.HasPrefix(name, ".labnet") {
			continue
		}
		seen++
		fi := must(os.Stat(filepath.Join(store, name)))
		want := fs.FileMode(0o660)
		if fi.IsDir() {
			want = fs.ModeDir | 0o770
		}
		if mode != want.String() || fi.Sys().(*syscall.Stat_t).Gid != group {
			t.Errorf("%s: %s, group %d; want %v, group %d", name, mode, fi.Sys().(*syscall.Stat_t).Gid, want, group)
		}
	}
	if seen != 1+3+40+1 {
		t.Errorf("%d files and folders", seen)
	}
}

// TestSetgidFolders: files in a folder of the store that gives its group have that
// group, as if they had been made in it.
func TestSetgidFolders(t *testing.T) {
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("needs root on Linux, to have another group")
	}
	const group = 12345
	store := filepath.Join(t.TempDir(), "store")
	_, addr := launchServe(t, store)
	team := filepath.Join(store, "team")
	if err := os.Mkdir(team, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chown(team, -1, group), os.Chmod(team, 0o775|fs.ModeSetgid)); err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(t.TempDir(), "tree")
	for i := range 40 {
		name := filepath.Join(tree, fmt.Sprintf("%d/f", i%3), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(name), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	run(t, labnetCommand(t, "upload", "-a", addr, "--name", "team/one", filepath.Join(tree, "0/f/0")))
	run(t, labnetCommand(t, "upload", "-a", addr, "--name", "team/tree", tree))
	run(t, labnetCommand(t, "upload", "-a", addr, "--name", "outside", filepath.Join(tree, "0/f/0")))
	for name := range modesBelow(t, team) {
		if gid := must(os.Stat(filepath.Join(team, name))).Sys().(*syscall.Stat_t).Gid; gid != group {
			t.Errorf("%s has the group %d, want %d", name, gid, group)
		}
	}
	if gid := must(os.Stat(filepath.Join(store, "outside"))).Sys().(*syscall.Stat_t).Gid; gid == group {
		t.Errorf("a file outside has the group %d", gid)
	}
}

// TestUnreadableIsUnchanged: what not even its owner may read is found to be the
// same when it is sent again, by a server without root's rights, too.
func TestUnreadableIsUnchanged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to read what nobody may read")
	}
	const nobody = 65534
	dir := must(os.MkdirTemp("", "labnet")) // t.TempDir is for its owner only
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "labnet")
	if err := errors.Join(
		os.WriteFile(program, readFile(t, must(os.Executable())), 0o755),
		os.Chmod(dir, 0o755),
		os.Chown(dir, nobody, nobody),
	); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "shadow")
	if err := os.WriteFile(file, []byte("secret"), 0); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "store")
	cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", filepath.Join(dir, "addr"), "--store", store)
	cmd.Path, cmd.Dir = program, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	launch(t, cmd)
	addr := awaitFile(t, filepath.Join(dir, "addr"))
	for range 3 {
		run(t, labnetCommand(t, "upload", "-a", addr, file))
	}
	got := modesBelow(t, store)
	delete(got, ".labnet")
	delete(got, ".labnet/lock")
	if diff := cmp.Diff(map[string]string{"shadow": "----------"}, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}
