//go:build unix

package commands_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIdentity: the key is made once, for the owner's eyes, and survives a server
// that does not use it.
func TestIdentity(t *testing.T) {
	store := t.TempDir()
	serve := func(flags ...string) string {
		t.Helper()
		cmd := labnetCommand(t, append([]string{"serve", "-l", "127.0.0.1:0", "--store", store}, flags...)...)
		return logUntilListening(t, cmd)
	}
	pins := regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	first := pins.FindString(serve("--tls"))
	if first == "" {
		t.Fatal("no fingerprint in the log")
	}
	serve() // would remove what it does not know
	if again := pins.FindString(serve("--tls")); again != first {
		t.Errorf("first %s, then %s", first, again)
	}
	file := filepath.Join(store, ".labnet", "identity.pem")
	if mode := must(os.Stat(file)).Mode(); mode != 0o600 {
		t.Errorf("mode %v", mode)
	}
	elsewhere := filepath.Join(t.TempDir(), "id")
	if other := pins.FindString(serve("--identity", elsewhere)); other == first || other == "" {
		t.Errorf("another identity is %s", other)
	}
	if entries := must(os.ReadDir(filepath.Dir(elsewhere))); len(entries) != 1 {
		t.Errorf("left beside the identity: %v", entries)
	}
	for name, spoil := range map[string]func() error{
		"others can read":         func() error { return os.Chmod(file, 0o640) },
		"contains no private key": func() error { return os.WriteFile(file, []byte("nonsense"), 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		stderr, code := fail(t, labnetCommand(t, "serve", "--tls", "-l", "127.0.0.1:0", "--store", store, "--addr-file", filepath.Join(store, "nowhere", "addr"))) // where it ends in any case
		if code != 1 || !strings.Contains(stderr, name) {
			t.Errorf("exit %d, %s; want 1, %q", code, stderr, name)
		}
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// logUntilListening starts a server, stops it when it listens, and returns its log.
func logUntilListening(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	addrFile := filepath.Join(t.TempDir(), "addr")
	cmd.Args = append(cmd.Args, "--addr-file", addrFile)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, addrFile)
	cmd.Cancel()
	cmd.Wait()
	return stderr.String()
}

// TestHangup: on SIGHUP a server looks at its certificate even if nobody can
// tell from outside that it has changed.
func TestHangup(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	addrFile := filepath.Join(dir, "addr")
	newPair(t, cert, key, 1)
	past := time.Now().Add(-time.Minute)
	age := func() {
		for _, file := range []string{cert, key} {
			if err := os.Chtimes(file, past, past); err != nil {
				t.Fatal(err)
			}
		}
	}
	age()
	cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--cert", cert, "--key", key, "--addr-file", addrFile)
	start(t, cmd)
	addr := awaitFile(t, addrFile)
	newPair(t, cert, key, 2)
	age()
	if serial := serialOf(t, addr); serial != 1 {
		t.Fatalf("certificate %d: what was to be invisible was seen", serial)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for overdue := time.Now().Add(patience); serialOf(t, addr) != 2; {
		if time.Now().After(overdue) {
			t.Fatal("SIGHUP changed nothing")
		}
	}
}
