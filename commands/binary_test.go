package commands_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait for another process: generous, because a loaded
// machine is no failure, and never reached when all is well.
const patience = 30 * time.Second

// labnetCommand returns labnet with arguments, not yet started. It is this
// test's own binary, in which TestMain becomes labnet when LABNET_TEST_MAIN is
// 1; so it is never out of date, and runs with -race and -cover if the test does.
// It lives as long as the test, in an empty directory, and without the LABNET_
// variables of whoever runs the test.
func labnetCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getenv("LABNET_TEST_MAIN") != "" {
		t.Fatal("TestMain did not become labnet: stopped before the tests run themselves without end")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := testCommand(t, self, args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "LABNET_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	// A binary built with -race dozes for a second before it exits, unless told.
	cmd.Env = append(cmd.Env, "LABNET_TEST_MAIN=1", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return cmd
}

// testCommand returns a program that lives no longer than the test: it is
// interrupted then, and killed if that is not enough.
func testCommand(t *testing.T, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = t.TempDir()
	cmd.Cancel = func() error {
		if cmd.Process.Signal(os.Interrupt) == nil {
			return nil
		}
		return cmd.Process.Kill() // where there is nothing gentler (Windows)
	}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run runs a command to its end, which must be a success, and returns what it
// wrote on stdout.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	overdue := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, &stdout, &stderr)
	}
	return stdout.String()
}

// start starts a command and returns the lines that it writes on stdout. The
// channel is closed when it ends, which it does with the test at the latest.
func start(t *testing.T, cmd *exec.Cmd) <-chan string {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1024)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		for range lines { // Wait closes the pipe, so not before its end
		}
		cmd.Wait() // interrupted: not a failure
		if bytes.Contains(stderr.Bytes(), []byte("DATA RACE")) {
			t.Error("a data race in the server")
		}
		if t.Failed() {
			t.Logf("stderr of %s:\n%s", strings.Join(cmd.Args, " "), &stderr)
		}
	})
	return lines
}

// nextLine returns the next line that a command writes.
func nextLine(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case line, open := <-lines:
		if !open {
			t.Fatal("the server ended before its time")
		}
		return line
	case <-time.After(patience):
		t.Fatal("nothing from the server")
	}
	panic("unreachable")
}

// startServe starts labnet serve on a port of its own and returns its address,
// once it listens, and the lines of its stdout.
func startServe(t *testing.T, args ...string) (addr string, lines <-chan string) {
	t.Helper()
	addrFile := filepath.Join(t.TempDir(), "addr")
	args = append([]string{"serve", "-l", "127.0.0.1:0", "--addr-file", addrFile}, args...)
	lines = start(t, labnetCommand(t, args...))

	for overdue := time.After(patience); ; {
		if addr, err := os.ReadFile(addrFile); err == nil {
			return strings.TrimSpace(string(addr)), lines
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case line, open := <-lines: // nothing, as nobody knows the address
			t.Fatalf("labnet serve does not listen: printed %q, running: %t", line, open)
		case <-overdue:
			t.Fatal("labnet serve does not listen")
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
