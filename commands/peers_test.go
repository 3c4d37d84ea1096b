package commands_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labnet/labnet/wire"
)

// serveOnce answers one connection in a way of its own, and returns its
// address.
func serveOnce(t *testing.T, answer func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		answer(conn)
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// control returns the bytes of a request or reply.
func control(word string, fields ...wire.Field) []byte {
	return wire.AppendString(nil, wire.Control{Word: word, Fields: fields}.Text())
}

// read takes n bytes, or what there is.
func read(r io.Reader, n int64) { io.CopyN(io.Discard, r, n) }

// TestStrangePeers holds what a user sees when the server is no labnet, goes
// away, or lies.
func TestStrangePeers(t *testing.T) {
	accepted := control("OK", wire.Field{Key: "upload", Value: "1"}, wire.Field{Key: "offset", Value: "0"})
	tests := []struct {
		name   string
		answer func(net.Conn)
		stderr string
		hint   string
		code   int
	}{
		{"speaks HTTP", func(c net.Conn) {
			read(c, 1)
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}, `is not a labnet server: it answered "HTTP/1.1 400 Bad Request\r\n\r\n"`, "check the address", 1},
		{"speaks the lab dialect", func(c net.Conn) {
			read(c, 1)
			io.WriteString(c, "OK")
		}, `is not a labnet server: it answered "OK"`, "--lab", 1},
		{"closes at once", func(c net.Conn) {
			read(c, 3)
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
		}, "the server closed the connection without an answer", "log", 3},
		{"refuses and goes away", func(c net.Conn) {
			read(c, 3)
			c.Write(control("ERROR", wire.Field{Key: "upload", Value: "1"}, wire.Field{Key: "code", Value: "exists"}, wire.Field{Key: "text", Value: "the name is taken"}))
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
		}, "f: the name is taken", "another name", 1},
		{"goes away in the middle", func(c net.Conn) {
			read(c, 3)
			c.Write(accepted)
			read(c, 100_000)
		}, "f: lost 127.0.0.1:", "", 3},
		{"refuses in the middle", func(c net.Conn) {
			read(c, 3)
			c.Write(accepted)
			read(c, 100_000)
			c.Write(control("ERROR", wire.Field{Key: "code", Value: "no-space"}, wire.Field{Key: "text", Value: "full"}))
			io.Copy(io.Discard, c)
		}, "f: full", "free some space", 1},
		{"kept other bytes", func(c net.Conn) {
			read(c, 3)
			c.Write(accepted)
			read(c, 3_000_000)
			c.Write(control("SAVED", wire.Field{Key: "name", Value: "f"}, wire.Field{Key: "size", Value: "3000000"}, wire.Field{Key: "crc64nvme", Value: "0123456789abcdef"}))
			io.Copy(io.Discard, c)
		}, "f: the server stored other bytes than were sent", "--name", 1},
		{"says nothing", func(c net.Conn) {
			io.Copy(io.Discard, c)
		}, "the server did not answer in time", "", 3},
		{"sends escape sequences", func(c net.Conn) {
			read(c, 3)
			c.Write(control("ERROR", wire.Field{Key: "code", Value: "bad-name"}, wire.Field{Key: "text", Value: "\x1b[31mred"}))
			io.Copy(io.Discard, c)
		}, `f: "\x1b[31mred"`, "--name", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd := labnetCommand(t, "upload", "--retries", "0", "--timeout", "1s", "-a", serveOnce(t, test.answer), "f")
			if err := os.WriteFile(filepath.Join(cmd.Dir, "f"), make([]byte, 3_000_000), 0o600); err != nil {
				t.Fatal(err)
			}
			stderr, code := fail(t, cmd)
			if code != test.code || !strings.Contains(stderr, test.stderr) || !strings.Contains(stderr, test.hint) {
				t.Errorf("exit %d and:\n%s\nwant exit %d, %q and %q", code, stderr, test.code, test.stderr, test.hint)
			}
		})
	}
}

// fail runs a command that is to fail, and returns what it wrote on stderr and
// its exit code.
func fail(t *testing.T, cmd *exec.Cmd) (stderr string, code int) {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		t.Errorf("%s: %v", cmd, err)
	}
	if len(out) > 0 {
		t.Errorf("printed a result: %s", out)
	}
	return errs.String(), code
}

// TestChangingFile: a file that is written to while it is sent is not kept.
func TestChangingFile(t *testing.T) {
	for name, change := range map[string]func(file string) error{
		"grows": func(file string) error {
			f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("more")
			return errors.Join(err, f.Close())
		},
		"shrinks": func(file string) error { return os.Truncate(file, 1<<20) },
		"is overwritten": func(file string) error {
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte("x"), 0)
			return errors.Join(err, f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const size = 64 << 20 // more than sockets and read-ahead hold
			cmd := labnetCommand(t, "upload", "f")
			file := filepath.Join(cmd.Dir, "f")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(file, size); err != nil {
				t.Fatal(err)
			}
			received := make(chan []byte, 1)
			addr := serveOnce(t, func(c net.Conn) {
				read(c, 3)
				c.Write(control("OK", wire.Field{Key: "offset", Value: "0"}))
				read(c, 4096)
				if err := change(file); err != nil {
					t.Error(err)
				}
				all, _ := io.ReadAll(io.TeeReader(c, onCancel(c)))
				received <- all
			})
			cmd.Args = append(cmd.Args, "-a", addr)
			stderr, code := fail(t, cmd)
			if code != 1 || !strings.Contains(stderr, "while it was read") {
				t.Errorf("exit %d and:\n%s", code, stderr)
			}
			if all := <-received; !bytes.HasSuffix(all, control("CANCEL")) {
				t.Errorf("ended with %q, want CANCEL", all[max(0, len(all)-50):])
			}
		})
	}
}

// onCancel returns a writer that answers when it sees CANCEL.
func onCancel(c net.Conn) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		if bytes.HasSuffix(p, control("CANCEL")) {
			c.Write(control("ERROR", wire.Field{Key: "code", Value: "cancelled"}))
		}
		return len(p), nil
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
