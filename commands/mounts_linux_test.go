package commands_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// launchWithMounts starts a server whose store has other filesystems in it: a bind
// mount of the same one at bound, and a tmpfs at disk. It returns the store as one
// who does not see those mounts can look at it, and where the bind mount is kept.
func launchWithMounts(t *testing.T, args ...string) (server *program, store, behind, addr string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	if out, err := exec.Command("unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt").CombinedOutput(); err != nil {
		t.Skipf("cannot mount here: %v %s", err, out)
	}
	dir := t.TempDir()
	store, behind = filepath.Join(dir, "store"), filepath.Join(dir, "behind")
	for _, folder := range []string{filepath.Join(store, "bound"), filepath.Join(store, "disk"), behind} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	addrFile := filepath.Join(dir, "addr")
	serve := labnetCommand(t, append([]string{"serve", "-l", "127.0.0.1:0", "--addr-file", addrFile, "--store", store}, args...)...)
	const script = `mount --make-rprivate / && mount --bind "$1" "$2/bound" && mount -t tmpfs -o size=64m none "$2/disk" && shift 2 && exec "$@"`
	cmd := exec.Command("unshare", append([]string{"-m", "sh", "-c", script, "sh", behind, store, serve.Path}, serve.Args[1:]...)...)
	cmd.Env, cmd.Dir = serve.Env, serve.Dir
	server = launch(t, cmd)
	addr = awaitFile(t, addrFile)
	return server, fmt.Sprintf("/proc/%d/root%s", server.cmd.Process.Pid, store), behind, addr
}

// TestMountsInTheStore: files that belong on another filesystem, or on another
// mount of the same, are kept there, whether they are large or small, few or many.
func TestMountsInTheStore(t *testing.T) {
	for _, conflict := range []string{"rename", "replace"} {
		for _, sandbox := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s sandbox=%t", conflict, sandbox), func(t *testing.T) {
				args := []string{"--on-conflict", conflict, "--keep-free", "1MiB"}
				if !sandbox {
					args = append(args, "--no-sandbox")
				}
				_, store, behind, addr := launchWithMounts(t, args...)
				dir := t.TempDir()
				in := func(name string) string { return filepath.Join(dir, name) }
				randomFile(t, in("large"), 3<<20)
				randomFile(t, in("other"), 3<<20+1)
				if err := os.Mkdir(in("many"), 0o755); err != nil {
					t.Fatal(err)
				}
				for i := range 100 {
					randomFile(t, in(fmt.Sprintf("many/%d", i)), 100+i)
				}
				for _, mount := range []string{"bound", "disk"} {
					put := func(name, file string) string {
						return run(t, labnetCommand(t, "upload", "-a", addr, "--name", mount+"/"+name, in(file)))
					}
					put("large", "large")
					put("new/folder/large", "large")
					if out := put("large", "large"); !strings.Contains(out, "unchanged") {
						t.Errorf("the same again: %s", out)
					}
					put("large", "other")
					put("many", "many")
					put("many", "many")
					seen := filepath.Join(store, mount)
					first, second := "large", "large (2)"
					if conflict == "replace" {
						first, second = "", "large"
					}
					if first != "" {
						sameFiles(t, filepath.Join(seen, first), in("large"))
					}
					sameFiles(t, filepath.Join(seen, second), in("other"))
					sameFiles(t, filepath.Join(seen, "new/folder/large"), in("large"))
					for i := range 100 {
						sameFiles(t, filepath.Join(seen, fmt.Sprintf("many/%d", i)), in(fmt.Sprintf("many/%d", i)))
					}
					left := 0
					for name := range modesBelow(t, seen) {
						if strings.Contains(name, ".labnet") || strings.Contains(name, "many/") && strings.Contains(name, "(") {
							t.Errorf("left behind: %s", name)
						}
						left++
					}
					if want := 1 + 3 + 101; left != want && left != want+1 {
						t.Errorf("%d files and folders", left)
					}
				}
				sameFiles(t, filepath.Join(behind, "new/folder/large"), in("large"))

				// What does not fit there is refused before its contents, though there is
				// space on the store's own disk.
				big := in("big")
				randomFile(t, big, 100<<20)
				out, err := labnetCommand(t, "upload", "-a", addr, "--name", "disk/big", "--retries", "0", big).CombinedOutput()
				if err == nil || !strings.Contains(string(out), "no space") {
					t.Errorf("what does not fit: %v, %s", err, out)
				}
			})
		}
	}
}
