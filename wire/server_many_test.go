//go:build unix

package wire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestThousandConnections holds a thousand connections open, a third of them
// in the middle of a file, and serves one more.
func TestThousandConnections(t *testing.T) {
	const many = 1000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < 2*many+200 {
		t.Skipf("a process may open %d files here (%v), and %d are needed", files.Cur, err, 2*many+200)
	}
	store := &store{}
	_, addr := listen(t, store)
	held := make([]net.Conn, many)
	for i := range held {
		nc, err := net.Dial("tcp", addr)
		must(t, err)
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(time.Minute))
		if i%3 == 0 {
			_, err = io.WriteString(nc, str(fmt.Sprintf("f%d|", i)))
			must(t, err)
			reply := make([]byte, len(str(ok(1))))
			_, err = io.ReadFull(nc, reply)
			must(t, err)
		}
		held[i] = nc
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := connect(t, addr)
	if got, err := c.Say(ctx, "room for one more?"); err != nil || got != "Message: room for one more?" {
		t.Fatalf("Say: %q, %v", got, err)
	}
	if _, err := c.Upload(ctx, known(1<<20), xs(1<<20)); err != nil {
		t.Fatalf("Upload: %v", err)
	}
	var ending sync.WaitGroup
	for i, nc := range held {
		ending.Go(func() {
			text := end("")
			want := str(saved(1, fmt.Sprintf("f%d", i), ""))
			if i%3 != 0 {
				text, want = str("hi"), str("Message: hi")
			}
			reply := make([]byte, len(want))
			if _, err := io.WriteString(nc, text); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(nc, reply); err != nil || string(reply) != want {
				t.Errorf("connection %d: %q, %v", i, reply, err)
			}
		})
	}
	ending.Wait()
}
