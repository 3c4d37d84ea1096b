package commands

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// A countingListener counts the bytes of its connections, both ways.
type countingListener struct {
	net.Listener
	n    atomic.Int64
	last atomic.Pointer[net.Conn]
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.last.Store(&c)
	}
	return countingConn{c, l}, err
}

// cut ends the last connection.
func (l *countingListener) cut() { (*l.last.Load()).Close() }

type countingConn struct {
	net.Conn
	l *countingListener
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.l.n.Add(int64(n))
	return n, err
}

func (c countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.l.n.Add(int64(n))
	return n, err
}

// TestSentOnce uploads files twice: the second time no contents cross the wire, the
// server writes none, and new times and permissions are applied.
func TestSentOnce(t *testing.T) {
	for _, test := range []struct {
		what        string
		files, size int
		percent     float64
		flags       []string
	}{
		{what: "small", files: 300, size: 4 << 10, percent: 5},
		{what: "small, SHA-256", files: 3, size: 4 << 10, percent: 10, flags: []string{"--digest", "sha256"}},
		{what: "middle", files: 5, size: 300_000, percent: 1},
		{what: "large", files: 1, size: 20 << 20, percent: 0.01},
		{what: "large, SHA-256", files: 1, size: 20 << 20, percent: 0.01, flags: []string{"--digest", "sha256"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			store := t.TempDir()
			d, err := dir.Open(store, dir.Options{})
			must(t, err)
			l := &countingListener{Listener: silent(t)}
			srv := &wire.Server{Store: asWireStore(d)}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(l) }()
			t.Cleanup(func() {
				srv.Shutdown(context.Background())
				<-served
				d.Close()
			})
			folder := filepath.Join(t.TempDir(), "files")
			must(t, os.Mkdir(folder, 0o755))
			name := func(i int) string {
				return filepath.Join(folder, "file number "+string(rune('a'+i/26))+string(rune('a'+i%26)))
			}
			for i := range test.files {
				must(t, os.WriteFile(name(i), bytes.Repeat([]byte{byte(i), byte(i >> 8)}, test.size/2), 0o600))
			}
			upload := func() string {
				var out strings.Builder
				client := terminal.New(os.Stdin, &out, io.Discard)
				args := append([]string{"labnet", "upload", "-a", l.Addr().String(), "--json"}, test.flags...)
				if code := run(t.Context(), client, append(args, folder)); code != 0 {
					t.Fatalf("exit %d: %s", code, &out)
				}
				return out.String()
			}
			upload()
			stored := filepath.Join(store, "files", filepath.Base(name(0)))
			before, err := os.Stat(stored)
			must(t, err)
			changed := time.Unix(1_000_000_000, 5000)
			must(t, os.Chtimes(name(0), changed, changed))
			must(t, os.Chmod(name(0), 0o400))
			sent := l.n.Load()
			out := upload()
			if n := strings.Count(out, `"unchanged":true`); n != test.files {
				t.Errorf("%d of %d files are unchanged: %.2000s", n, test.files, out)
			}
			contents := float64(test.files * test.size)
			if got := float64(l.n.Load()-sent) / contents * 100; got > test.percent {
				t.Errorf("%.2f %% of the contents crossed the wire again, more than %v %%", got, test.percent)
			}
			after, err := os.Stat(stored)
			must(t, err)
			if !os.SameFile(before, after) || !after.ModTime().Equal(changed) || after.Mode().Perm() != 0o400 {
				t.Errorf("the file is now of %v with %v, want %v with 0400; the same: %v", after.ModTime(), after.Mode(), changed, os.SameFile(before, after))
			}
			entries, err := os.ReadDir(filepath.Join(store, "files"))
			must(t, err)
			if len(entries) != test.files {
				t.Errorf("%d files are stored, want %d", len(entries), test.files)
			}
		})
	}
}

// TestLostSaved: the connection breaks when a file is published and nobody has been told.
// The client tries again, learns that the file is there, and does not send it again.
func TestLostSaved(t *testing.T) {
	for what, size := range map[string]int{"small": 4 << 10, "middle": 300_000, "large": 3 << 20} {
		t.Run(what, func(t *testing.T) {
			d, err := dir.Open(t.TempDir(), dir.Options{})
			must(t, err)
			l := &countingListener{Listener: silent(t)}
			srv := &wire.Server{Store: asWireStore(d)}
			var receipts []wire.Event
			sent := int64(0)
			srv.Received = func(e wire.Event) {
				receipts = append(receipts, e)
				if len(receipts) == 1 {
					sent = l.n.Load()
					l.cut()
				}
			}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(l) }()
			file := filepath.Join(t.TempDir(), "file")
			must(t, os.WriteFile(file, bytes.Repeat([]byte("contents"), size/8), 0o600))
			var out strings.Builder
			client := terminal.New(os.Stdin, &out, io.Discard)
			code := run(t.Context(), client, []string{"labnet", "upload", "-a", l.Addr().String(), "--json", file})
			srv.Shutdown(context.Background())
			<-served
			must(t, d.Close())
			if code != 0 || strings.Count(out.String(), `"unchanged":true,"compared":"contents"`) != 1 {
				t.Errorf("exit %d: %s", code, &out)
			}
			if len(receipts) != 2 || receipts[0].Unchanged || !receipts[1].Unchanged || receipts[1].Compared != wire.ComparedContents {
				t.Errorf("receipts: %+v", receipts)
			}
			if again := l.n.Load() - sent; again > 1000 {
				t.Errorf("%d bytes crossed the wire again", again)
			}
		})
	}
}
