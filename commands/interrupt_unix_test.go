//go:build unix

package commands_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestInterruptStopsLoop presses Ctrl-C while a shell loop uploads: the client
// must die of the signal, or bash continues with the next file.
func TestInterruptStopsLoop(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash not found: ", err)
	}
	addr, begun := serveForever(t)
	model := labnetCommand(t)
	cmd := testCommand(t, bash, "-c", `for f in a b; do "$LABNET" upload "$f"; echo "after $f"; done`)
	cmd.Env = append(model.Env, "LABNET="+model.Path, "LABNET_ADDR="+addr)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	for _, name := range []string{"a", "b"} {
		randomFile(t, filepath.Join(cmd.Dir, name), 64<<20)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil { // as the terminal does
		t.Fatal(err)
	}
	cmd.Wait()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGINT || out.Len() > 0 {
		t.Errorf("the loop ended with %v and printed:\n%s", cmd.ProcessState, &out)
	}
}

// serveForever accepts one upload, tells so, and receives until it is given up.
func serveForever(t *testing.T) (addr string, begun <-chan struct{}) {
	accepted := make(chan struct{})
	addr = serveOnce(t, func(c net.Conn) {
		read(c, 3)
		c.Write(control("OK", wire.Field{Key: "offset", Value: "0"}))
		close(accepted)
		read(c, 1<<40)
	})
	return addr, accepted
}

// TestServeSignals: a server dies of the signal that stops it, after the upload
// under way has ended, and at once at the second.
func TestServeSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", filepath.Join(dir, "addr"), "--store", filepath.Join(dir, "store"))
			log := new(bytes.Buffer)
			cmd.Stderr = log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", awaitFile(t, filepath.Join(dir, "addr")))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.Write(control("f", wire.Field{Key: "size", Value: "5"}))
			var reply [64]byte
			if _, err := conn.Read(reply[:]); err != nil { // accepted
				t.Fatal(err)
			}
			cmd.Process.Signal(signal)
			conn.Write([]byte("\x02\x05hello"))
			conn.Write(control("END", wire.Field{Key: "size", Value: "5"}, digestField("hello")))
			n, err := conn.Read(reply[:])
			if err != nil || !strings.Contains(string(reply[:n]), "SAVED") {
				t.Errorf("%q, %v in place of SAVED", reply[:n], err)
			}
			cmd.Wait()
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != signal {
				t.Errorf("ended with %v\n%s", cmd.ProcessState, log)
			}
		})
	}
}

// awaitFile waits for a file that appears complete, and returns its text.
func awaitFile(t *testing.T, name string) string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(name); err == nil {
			return strings.TrimSpace(string(b))
		}
	}
	t.Fatal("no " + name)
	return ""
}
