//go:build unix

package commands_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestSecondSignal: a server that waits for an upload does not any more when it
// is told to stop again, and what it has of it is there for the next one.
func TestSecondSignal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	randomFile(t, file, 8<<20)
	for _, signals := range [][2]os.Signal{
		{os.Interrupt, os.Interrupt}, {syscall.SIGTERM, syscall.SIGTERM}, {os.Interrupt, syscall.SIGTERM},
	} {
		t.Run(signals[0].String()+", "+signals[1].String(), func(t *testing.T) {
			store := filepath.Join(t.TempDir(), "store")
			server, addr := launchServe(t, store)
			reached, goOn := make(chan struct{}), make(chan struct{})
			p := startProxy(t, addr, plan{toServer: fault{do: call, at: 4 << 20, run: func() {
				close(reached)
				<-goOn
			}}})
			client := launch(t, labnetCommand(t, "upload", "-a", p.addr, "--json", file))
			<-reached
			server.cmd.Process.Signal(signals[0])
			awaitNobody(t, addr)
			begun := time.Now()
			server.cmd.Process.Signal(signals[1])
			server.wait()
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("the second signal took %v", took)
			}
			if status := server.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != signals[1] {
				t.Errorf("it ended with %v", server.cmd.ProcessState)
			}
			_, addr = launchServe(t, store)
			p.retarget(addr)
			close(goOn)
			if err := client.wait(); err != nil {
				t.Errorf("the upload failed: %v", err)
			}
			sameFiles(t, file, filepath.Join(store, "f"))
		})
	}
}

// awaitNobody waits until nobody listens at addr any more.
func awaitNobody(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		cmd := labnetCommand(t, "ping", "-c", "1", "-a", addr)
		if cmd.Run(); cmd.ProcessState.ExitCode() == 3 {
			return
		}
	}
	t.Fatal("the server still listens")
}
