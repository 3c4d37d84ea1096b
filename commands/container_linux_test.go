package commands_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFirstProcess: as the first process of a container a server cannot die of
// the signal that stops it, and exits as a shell would say.
func TestFirstProcess(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a PID namespace")
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		addr := filepath.Join(t.TempDir(), "addr")
		cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", addr)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		var log bytes.Buffer
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Skip("no PID namespace to be had: ", err)
		}
		awaitFile(t, addr)
		cmd.Process.Signal(signal)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 128+int(signal) {
			t.Errorf("%s: ended with %v\n%s", signal, cmd.ProcessState, &log)
		}
	}
}
