//go:build unix

package commands_test

import (
	"bufio"
	"strings"
	"syscall"
	"testing"
)

// TestPingSignals: ping sums up before it dies of the signal that stops it.
func TestPingSignals(t *testing.T) {
	addr, _ := startServe(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := labnetCommand(t, "ping", "-a", addr, "-c", "2", "-i", "1h")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "reply from ") {
			t.Fatalf("%q, %v in place of a reply", lines.Text(), lines.Err())
		}
		cmd.Process.Signal(signal)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "1 sent, 1 reply") {
			t.Errorf("%s: %q in place of the summary", signal, lines.Text())
		}
		cmd.Wait()
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != signal {
			t.Errorf("%s: ended with %v", signal, cmd.ProcessState)
		}
	}
}

// TestUploadSignals: an upload, which has nothing to finish, dies of the signal
// all the same, and nothing of a stream is kept.
func TestUploadSignals(t *testing.T) {
	addr, received := startServe(t, "--json")
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := labnetCommand(t, "upload", "-a", addr, "--name", "stream", "-")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := stdin.Write(make([]byte, 4<<20)); err != nil { // more than fits in between
			t.Fatal(err)
		}
		cmd.Process.Signal(signal)
		cmd.Wait()
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != signal {
			t.Errorf("%s: ended with %v", signal, cmd.ProcessState)
		}
	}
	run(t, labnetCommand(t, "say", "-a", addr, "hello"))
	if line := nextLine(t, received); !strings.Contains(line, `"say"`) {
		t.Errorf("received %s", line)
	}
}
