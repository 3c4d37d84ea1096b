//go:build unix

package commands_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDrain: when it is told to stop, a server waits for an upload as long as it
// was told to, and leaves one that lasts longer to be resumed.
func TestDrain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	randomFile(t, file, 8<<20)
	for _, test := range []struct {
		drain  string
		enough bool
	}{{"1h", true}, {"1ms", false}} {
		t.Run(test.drain, func(t *testing.T) {
			store := filepath.Join(t.TempDir(), "store")
			server, addr := launchServe(t, store, "--drain", test.drain)
			reached, goOn := make(chan struct{}), make(chan struct{})
			p := startProxy(t, addr, plan{toServer: fault{do: call, at: 4 << 20, run: func() {
				close(reached)
				<-goOn
			}}})
			client := launch(t, labnetCommand(t, "upload", "-a", p.addr, file))
			<-reached
			begun := time.Now()
			server.cmd.Process.Signal(syscall.SIGTERM)
			if !test.enough {
				// Without the flag it would wait for 30 seconds.
				if server.wait(); time.Since(begun) > 15*time.Second {
					t.Errorf("stopped after %v", time.Since(begun))
				}
				left, err := filepath.Glob(filepath.Join(store, ".labnet", "*.resumable"))
				if err != nil || len(left) != 1 {
					t.Errorf("left to be resumed: %v, %v", left, err)
				}
				_, addr = launchServe(t, store)
				p.retarget(addr)
			} else {
				awaitNobody(t, addr)
			}
			close(goOn)
			if err := client.wait(); err != nil {
				t.Errorf("the upload failed: %v", err)
			}
			server.wait()
			if again := strings.Contains(client.stderr.String(), "trying again"); again == test.enough {
				t.Errorf("the client had to try again: %t", again)
			}
			sameFiles(t, file, filepath.Join(store, "f"))
		})
	}
}
