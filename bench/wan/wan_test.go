package wan

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestWay sends something through a link, and nothing is left of that.
func TestWay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, program := range []string{"ip", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	const rtt, size = 40 * time.Millisecond, 1 << 20
	w, err := Open(Link{RTT: rtt, Rate: 100e6})
	if err != nil {
		t.Skip("no link can be made here:", err)
	}
	server := exec.Command("ip", "netns", "exec", w.Far, "python3", "-c", `
import socket
s = socket.create_server(("`+FarAddress+`", 7))
print("ready", flush=True)
c = s.accept()[0]
n = 0
while b := c.recv(65536):
    n += len(b)
c.sendall(str(n).encode())
`)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer server.Process.Kill()
	if _, err := out.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	got, err := exec.Command("ip", "netns", "exec", w.Near, "python3", "-c", `
import socket
c = socket.create_connection(("`+FarAddress+`", 7))
c.sendall(b"x" * 1048576)
c.shutdown(socket.SHUT_WR)
print(c.recv(100).decode(), end="")
`).CombinedOutput()
	took := time.Since(begun)
	if string(got) != "1048576" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	if least := 2*rtt + size*8*time.Second/100e6; took < least {
		t.Errorf("took %v, and cannot take less than %v", took, least)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if left, err := exec.Command("ip", "netns", "list").Output(); err != nil || strings.Contains(string(left), w.Near) {
		t.Errorf("left: %s, %v", left, err)
	}
}
