package commands_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// mountSmallDisk mounts a filesystem of 8 MiB.
func mountSmallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("labnet", dir, "tmpfs", 0, "size=8m")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("mounting a small filesystem needs root: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// TestFullDisk: what does not fit is refused, before its contents come if its
// size is known, and the server goes on.
func TestFullDisk(t *testing.T) {
	disk := mountSmallDisk(t)
	addr, _ := startServe(t, "--store", disk, "--keep-free", "1B")
	cmd := labnetCommand(t, "upload", "-a", addr, "small", "large", "also small")
	randomFile(t, filepath.Join(cmd.Dir, "small"), 1<<20)
	randomFile(t, filepath.Join(cmd.Dir, "large"), 16<<20)
	randomFile(t, filepath.Join(cmd.Dir, "also small"), 2<<20)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v in place of exit 1", err)
	}
	if n := strings.Count(stdout.String(), "crc64nvme:"); n != 2 {
		t.Errorf("%d of 2 small files kept", n)
	}
	want := regexp.MustCompile(`^labnet: error: large: no space left in the store: 16 MiB needed, [4-8]\.\d MiB free\nlabnet: hint: free some space at the server\n`)
	if !want.MatchString(stderr.String()) {
		t.Errorf("told %q, want %q", &stderr, want)
	}

	// What is there already needs no space.
	if err := os.WriteFile(filepath.Join(disk, "rest"), make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	changed := labnetCommand(t, "upload", "-a", addr, "small")
	if err := os.WriteFile(filepath.Join(changed.Dir, "small"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if stderr, code := fail(t, changed); code != 1 || !strings.Contains(stderr, "small: no space left in the store: 1.0 MiB needed, 0 B free\n") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	same := labnetCommand(t, "upload", "-a", addr, filepath.Join(cmd.Dir, "small"), filepath.Join(cmd.Dir, "also small"))
	if out := run(t, same); strings.Count(out, "unchanged") < 2 {
		t.Errorf("told %q", out)
	}
	if err := os.Remove(filepath.Join(disk, "rest")); err != nil {
		t.Fatal(err)
	}

	// In the middle of a stream.
	stream := labnetCommand(t, "upload", "-a", addr, "--name", "stream", "-")
	stream.Stdin = bytes.NewReader(make([]byte, 16<<20))
	if stderr, code := fail(t, stream); code != 1 || !regexp.MustCompile(`stream: no space left in the store: [3-6]\.\d MiB free\n`).MatchString(stderr) {
		t.Errorf("exit %d: %s", code, stderr)
	}

	// Nothing unfinished takes up room, and freed room is used at once.
	names, err := filepath.Glob(filepath.Join(disk, ".labnet", "*"))
	if err != nil || len(names) != 1 { // the lock
		t.Errorf("left behind: %v, %v", names, err)
	}
	if err := os.Remove(filepath.Join(disk, "also small")); err != nil {
		t.Fatal(err)
	}
	again := labnetCommand(t, "upload", "-a", addr, "fits")
	randomFile(t, filepath.Join(again.Dir, "fits"), 6<<20)
	run(t, again)
	sameFiles(t, filepath.Join(again.Dir, "fits"), filepath.Join(disk, "fits"))
}

// TestSparse: a file that is larger than the disk and mostly holes is kept.
func TestSparse(t *testing.T) {
	disk := mountSmallDisk(t)
	addr, _ := startServe(t, "--store", disk, "--keep-free", "1MiB")
	cmd := labnetCommand(t, "upload", "-a", addr, "disk.img")
	image := filepath.Join(cmd.Dir, "disk.img")
	randomFile(t, image, 1<<20)
	if err := os.Truncate(image, 100<<20); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(image); err != nil || fi.Sys().(*syscall.Stat_t).Blocks*512 > 4<<20 {
		t.Skip("this filesystem has no holes")
	}
	run(t, cmd)
	sameFiles(t, image, filepath.Join(disk, "disk.img"))
}

// TestKeepFree: the room that is to be kept is kept, from files and from streams.
func TestKeepFree(t *testing.T) {
	disk := mountSmallDisk(t)
	server, addr := launchServe(t, disk, "--keep-free", "4MiB")
	upload := func(name string, size int) *exec.Cmd {
		cmd := labnetCommand(t, "upload", "-a", addr, "--name", name, "-")
		if size < 0 {
			cmd.Stdin = bytes.NewReader(make([]byte, -size))
			return cmd
		}
		cmd.Args[len(cmd.Args)-1] = "f"
		randomFile(t, filepath.Join(cmd.Dir, "f"), size)
		return cmd
	}
	run(t, upload("fits", 3<<20))
	for _, cmd := range []*exec.Cmd{upload("file", 2<<20), upload("stream", -16<<20)} {
		if stderr, code := fail(t, cmd); code != 1 || !regexp.MustCompile(`: no space left in the store: (2\.0 MiB needed, 1\.0 MiB|10\d\d KiB|1\.0 MiB) free\n`).MatchString(stderr) {
			t.Errorf("exit %d: %s", code, stderr)
		}
	}
	run(t, upload("small", 100))
	var fs syscall.Statfs_t
	if err := syscall.Statfs(disk, &fs); err != nil {
		t.Fatal(err)
	}
	if free := int64(fs.Bavail) * int64(fs.Bsize); free < 4<<20 {
		t.Errorf("%d bytes are free", free)
	}
	if _, err := os.Stat(filepath.Join(disk, "stream")); err == nil {
		t.Error("a part of the stream is kept")
	}
	server.cmd.Process.Signal(os.Interrupt)
	server.wait()
	if !strings.Contains(server.stderr.String(), "are kept free") {
		t.Errorf("the log does not say why: %s", &server.stderr)
	}
}

// TestReadOnlyDisk: a store that cannot be written is told at the start, and to
// clients when it happens later.
func TestReadOnlyDisk(t *testing.T) {
	disk := mountSmallDisk(t)
	addr, _ := startServe(t, "--store", disk, "--keep-free", "1B")
	remount := func(flags uintptr) {
		// The server's lock file is open for reading only, or this would be busy.
		if err := syscall.Mount("labnet", disk, "tmpfs", syscall.MS_REMOUNT|flags, "size=8m"); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	cmd := labnetCommand(t, "upload", "-a", addr, "f")
	randomFile(t, filepath.Join(cmd.Dir, "f"), 10)
	if stderr, code := fail(t, cmd); code != 1 || !strings.Contains(stderr, "f: the server's store cannot be written to\n") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if stderr, code := fail(t, labnetCommand(t, "ping", "-q", "-c", "1", "-a", addr)); code != 1 || !strings.Contains(stderr, "the server's store cannot be written to\n") {
		t.Errorf("ping: exit %d: %s", code, stderr)
	}
	remount(0)
	again := labnetCommand(t, "upload", "-a", addr, filepath.Join(cmd.Dir, "f"))
	run(t, again)

	other := mountSmallDisk(t)
	if err := syscall.Mount("labnet", other, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=8m"); err != nil {
		t.Fatal(err)
	}
	serve := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--store", other)
	if stderr, code := fail(t, serve); code != 1 || !strings.Contains(stderr, "read-only file system") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
