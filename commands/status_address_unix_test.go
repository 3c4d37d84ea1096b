//go:build unix

package commands_test

import (
	"bufio"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestStopsWatched: a server that is told to stop does not wait for those who watch it.
func TestStopsWatched(t *testing.T) {
	server, addrs := launchServe(t, filepath.Join(t.TempDir(), "store"), "--status", "127.0.0.1:0", "--drain", "1h")
	_, status, _ := strings.Cut(addrs, "\n")
	a, err := http.Get("http://" + status + "/status/events")
	must(t, err)
	defer a.Body.Close()
	events := bufio.NewReader(a.Body)
	if line, err := events.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: ") {
		t.Fatalf("the first event is %q, %v", line, err)
	}
	must(t, server.cmd.Process.Signal(syscall.SIGTERM))
	if err := server.wait(); err == nil || !strings.Contains(server.stderr.String(), "stopping") {
		t.Errorf("it ended with %v", err) // by the signal
	}
	if state := server.cmd.ProcessState; state.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		t.Error("it had to be killed")
	}
}
