package commands_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lease takes a write lease on a file, as Samba does for its clients, and gives it up
// once somebody wants the file. What it returns waits for that.
func lease(t *testing.T, name string) (wanted func()) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGIO)
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no leases here: %v", err)
	}
	given := make(chan struct{})
	go func() {
		defer close(given)
		if _, more := <-asked; more {
			unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		}
	}()
	ended := false
	end := func() {
		if !ended {
			ended = true
			signal.Stop(asked)
			close(asked)
		}
		<-given
		f.Close()
	}
	t.Cleanup(end)
	return func() {
		t.Helper()
		if len(asked) == 0 {
			select {
			case <-given:
			default:
				t.Errorf("nobody opened %s", name)
			}
		}
		end()
	}
}

// TestLeases: a file on which another program has a lease is waited for: one that is
// sent, small or large, one that the server compares with what comes, and the tokens.
func TestLeases(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	addr, _ := startServe(t, "--store", store)
	for name, size := range map[string]int{"small": 5, "large": 2 << 20} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, name)
			randomFile(t, file, size)
			wanted := lease(t, file)
			run(t, labnetCommand(t, "upload", "-a", addr, file))
			wanted()
			sameFiles(t, file, filepath.Join(store, name))

			wanted = lease(t, filepath.Join(store, name))
			if out := run(t, labnetCommand(t, "upload", "-a", addr, file)); !strings.Contains(out, "unchanged") {
				t.Errorf("printed %s", out)
			}
			wanted()
		})
	}
	t.Run("tokens", func(t *testing.T) {
		tokens := filepath.Join(dir, "tokens")
		line := "alice 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"
		if err := os.WriteFile(tokens, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		wanted := lease(t, tokens)
		startServe(t, "--store", filepath.Join(dir, "other"), "--tls", "--tokens", tokens)
		wanted()
	})
}
