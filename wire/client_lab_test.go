package wire_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestLabClient has each task against a program of the course, which checks
// the bytes and answers with bare ones.
func TestLabClient(t *testing.T) {
	big := strings.Repeat("x", 300)
	tests := []struct {
		name  string
		task  wire.Lab
		calls func(t *testing.T, c *wire.LabClient) error
		hears []string // what the server takes before each of its answers
		says  []string
	}{
		{"3 says", wire.Lab3, func(t *testing.T, c *wire.LabClient) error {
			got, err := c.Say(bg, "hi")
			if got != "Message: hi" {
				t.Errorf("Say: %q", got)
			}
			return err
		}, []string{"hi"}, []string{"Message: hi"}},
		{"4 says", wire.Lab4, func(t *testing.T, c *wire.LabClient) error { _, err := c.Say(bg, "hi"); return err }, []string{"\x01hi"}, nil},
		{"4 sends a blob", wire.Lab4, func(t *testing.T, c *wire.LabClient) error { return c.Blob(bg, xs(999), 300) }, []string{"\x02" + big}, nil},
		{"4 sends an empty blob", wire.Lab4, func(t *testing.T, c *wire.LabClient) error { return c.Blob(bg, xs(0), 0) }, []string{"\x02"}, nil},
		{"5 sends blobs", wire.Lab5, func(t *testing.T, c *wire.LabClient) error {
			return errors.Join(c.Blob(bg, xs(300), 300), c.Blob(bg, xs(0), 0))
		}, []string{data(3, big) + data(2, "")}, nil},
		{"6 uploads", wire.Lab6, func(t *testing.T, c *wire.LabClient) error { return c.Upload(bg, "żółw.txt", xs(3), 3) },
			[]string{"\x01żółw.txt", data(2, "xxx")}, []string{"OK"}},
		{"extra uploads", wire.LabExtra, func(t *testing.T, c *wire.LabClient) error {
			return errors.Join(c.Upload(bg, "a", xs(3), 3), c.Upload(bg, "b", xs(300), 300))
		}, []string{"\x01a", data(2, "xxx") + "\x01b", data(3, big)}, []string{"OK", " OK\r\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			against(t, func(s *script) {
				for i, want := range tt.hears {
					got := make([]byte, len(want))
					if _, err := io.ReadFull(s.r, got); err != nil || string(got) != want {
						s.t.Errorf("the client sent %q, %v, want %q", got, err, want)
					}
					if i < len(tt.says) {
						s.bare(tt.says[i])
						if tt.task == wire.Lab3 {
							s.Close()
						}
					}
				}
				if rest, err := io.ReadAll(s.r); tt.task != wire.Lab3 && (len(rest) > 0 || err != nil) {
					s.t.Errorf("then the client sent %q, %v", rest, err)
				}
			}, func(t *testing.T, nc net.Conn) {
				c := wire.NewLabClient(nc, tt.task, 0)
				if err := tt.calls(t, c); err != nil {
					t.Errorf("%v", err)
				}
				c.Close()
			})
		})
	}
}

func TestLabClientTrouble(t *testing.T) {
	upload := func(c *wire.LabClient) error { return c.Upload(bg, "f", xs(3), 3) }
	torn := errors.New("torn")
	tests := []struct {
		name string
		task wire.Lab
		play func(*script)
		call func(*wire.LabClient) error
		want func(error) bool
	}{
		{"no answer to a text", wire.Lab3, func(s *script) { io.ReadAll(s.r) }, func(c *wire.LabClient) error {
			_, err := c.Say(bg, "hi")
			return err
		}, is(wire.ErrNoAnswer)},
		{"an answer without an end", wire.Lab3, func(s *script) { s.r.Discard(2); s.bare("Message: hi"); time.Sleep(time.Hour) }, func(c *wire.LabClient) error {
			if reply, err := c.Say(bg, "hi"); reply != "Message: hi" || err != nil {
				return fmt.Errorf("%q, %v", reply, err)
			}
			return c.Ending()
		}, isTimeout},
		{"too much for a size", wire.Lab5, func(s *script) { io.ReadAll(s.r) }, func(c *wire.LabClient) error {
			c.Scheme.SizeBytes = 1
			return c.Blob(bg, xs(256), 256)
		}, func(err error) bool { return err != nil && strings.Contains(err.Error(), "256 bytes are too many") }},
		{"no answer", wire.Lab6, func(s *script) { s.r.Discard(2) }, upload, is(wire.ErrNoAnswer)},
		{"silence", wire.Lab6, func(s *script) { io.ReadAll(s.r) }, upload, isTimeout},
		{"a refusal", wire.Lab6, func(s *script) { s.r.Discard(2); s.bare("ERROR: bad name") }, upload,
			func(err error) bool { return err != nil && strings.Contains(err.Error(), "ERROR: bad name") }},
		{"half an OK", wire.Lab6, func(s *script) { s.r.Discard(2); s.bare("O") }, upload,
			func(err error) bool { return err != nil && strings.Contains(err.Error(), `"O"`) }},
		{"a short source", wire.Lab5, func(s *script) { io.ReadAll(s.r) }, func(c *wire.LabClient) error { return c.Blob(bg, xs(2), 3) }, isSourceError},
		{"a broken source", wire.Lab5, func(s *script) { io.ReadAll(s.r) }, func(c *wire.LabClient) error {
			return c.Blob(bg, &slow{n: 1, err: torn}, 3)
		}, is(torn)},
		{"a server that hangs up", wire.Lab5, func(s *script) { s.r.Discard(9) }, func(c *wire.LabClient) error {
			return c.Blob(bg, xs(1<<20), 1<<20)
		}, is(io.ErrClosedPipe)},
		{"a server that stops reading", wire.Lab5, func(s *script) { time.Sleep(time.Hour) }, func(c *wire.LabClient) error {
			return c.Blob(bg, xs(1<<20), 1<<20)
		}, isTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			against(t, tt.play, func(t *testing.T, nc net.Conn) {
				c := wire.NewLabClient(nc, tt.task, 0)
				if err := tt.call(c); !tt.want(err) {
					t.Errorf("%v", err)
				}
				c.Close()
			})
		})
	}
}

// TestLabClientWaitsForTheEnd closes so that the server gets everything, and
// not for ever.
func TestLabClientWaitsForTheEnd(t *testing.T) {
	against(t, func(s *script) {
		io.ReadAll(s.r)
		time.Sleep(time.Second)
	}, func(t *testing.T, nc net.Conn) {
		c := wire.NewLabClient(nc, wire.Lab5, 0)
		must(t, c.Blob(bg, xs(3), 3))
		begin := time.Now()
		if err := c.Close(); err != nil || time.Since(begin) != time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(begin))
		}
	})
	against(t, func(s *script) { time.Sleep(time.Hour) }, func(t *testing.T, nc net.Conn) {
		begin := time.Now()
		if err := wire.NewLabClient(nc, wire.Lab5, 0).Close(); err != nil || time.Since(begin) != 2*time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(begin))
		}
	})
}

// TestPingAnswers asks programs of all kinds whether they are there.
func TestPingAnswers(t *testing.T) {
	isReadOnly := func(err error) bool {
		refusal, _ := errors.AsType[*wire.Error](err)
		return refusal != nil && refusal.Code == wire.CodeReadOnly && refusal.Text == "fsync failed"
	}
	tests := []struct {
		name string
		play func(*script)
		want func(error) bool
	}{
		{"labnet", func(s *script) { s.want("EOF") }, is(nil)},
		{"labnet whose store failed", func(s *script) { s.want("EOF"); s.say("ERROR|code=read-only|text=fsync failed|") }, isReadOnly},
		{"labnet with words", func(s *script) { s.want("EOF"); s.say("welcome") }, is(nil)},
		{"ssh", func(s *script) { s.bare("SSH-2.0-OpenSSH_9.6\r\n"); s.want("EOF") }, is(nil)},
		{"a kernel without a program", func(s *script) { s.want("EOF"); time.Sleep(time.Hour) }, isTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			against(t, tt.play, func(t *testing.T, nc net.Conn) {
				if err := wire.Ping(bg, nc, time.Second); !tt.want(err) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}
