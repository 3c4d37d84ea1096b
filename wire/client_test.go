package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/wire"
)

// talk is against with a Client, which test may leave open.
func talk(t *testing.T, play func(s *script), test func(t *testing.T, c *wire.Client)) {
	t.Helper()
	against(t, play, func(t *testing.T, nc net.Conn) {
		c := wire.NewClient(nc, 0)
		test(t, c)
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// endOf is the END of contents of so many x.
func endOf(n int) string {
	b := strings.Repeat("x", n)
	return fmt.Sprintf("END|size=%d|crc64nvme=%s|", n, crc(b))
}

func xs(n int) io.Reader { return strings.NewReader(strings.Repeat("x", n)) }

func TestClientConverses(t *testing.T) {
	const mib = 1 << 20
	talk(t, func(s *script) {
		s.want("hello")
		s.say("WAIT|", "WAIT|later=1|", "Message: hello")
		s.want("Data 5")
		s.say(kept("a.bin", "xxxxx"))
		s.want("Data 0")
		s.say(kept("b.bin", ""))
		s.want("f|size=3|allocated=1|mtime=1732285920.000000005|mode=0640|")
		s.say("OK|upload=1|offset=0|colour=blue|")
		s.want("Data 3", endOf(3))
		s.say("WAIT|", saved(1, "f (2)", "xxx")+"unchanged=1|")
		s.want("./END|digest=sha256|")
		s.say(ok(2))
		s.want("Data 3", "END|size=3|sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|")
		s.say("SAVED|upload=2|name=END|size=3|sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|")
		s.want(fmt.Sprintf("f|size=%d|", mib+1))
		s.say(ok(3))
		s.want("Data 1048576", "Data 1", endOf(mib+1))
		s.say(saved(3, "f", strings.Repeat("x", mib+1)))
		s.want("f|size=0|", "EOF")
	}, func(t *testing.T, c *wire.Client) {
		if got, err := c.Say(bg, "hello"); got != "Message: hello" || err != nil {
			t.Errorf("Say: %q, %v", got, err)
		}
		check := func(got wire.Saved, err error) func(name string, unchanged bool, body string) {
			return func(name string, unchanged bool, body string) {
				t.Helper()
				must(t, err)
				if got.Name != name || got.Unchanged != unchanged || got.Size != int64(len(body)) || got.Path != "" ||
					got.Hex() != crc(body) && len(got.Digest) == 8 {
					t.Errorf("got %+v", got)
				}
			}
		}
		check(c.Blob(bg, xs(9), 5))("a.bin", false, "xxxxx")
		check(c.Blob(bg, xs(0), 0))("b.bin", false, "")
		a := known(3)
		a.Holes, a.ModTime, a.Mode, a.HasMode = 2, time.Unix(1732285920, 5), 0o640, true
		check(c.Upload(bg, a, xs(3)))("f (2)", true, "xxx")
		sha, _ := wire.DigestByName("sha256")
		check(c.Upload(bg, wire.Announcement{Name: "END", Size: -1, Digest: sha}, strings.NewReader("abc")))("END", false, "abc")
		check(c.Upload(bg, known(mib+1), xs(mib+1)))("f", false, strings.Repeat("x", mib+1))
		if c.Err() != nil {
			t.Error("not usable after success")
		}
		ctx, cancel := context.WithCancel(bg)
		time.AfterFunc(time.Second, cancel)
		if _, err := c.Upload(ctx, known(0), xs(0)); err != context.Canceled {
			t.Errorf("Upload: %v", err)
		}
	})
}

// TestClientIsNotFooled has replies that are not the success asked for.
func TestClientIsNotFooled(t *testing.T) {
	upload := func(s *script) { s.want("f|size=3|"); s.say(ok(1)); s.want("Data 3", endOf(3)) }
	up := func(c *wire.Client) error { _, err := c.Upload(bg, known(3), xs(3)); return err }
	blob := func(s *script) { s.want("Data 3") }
	bl := func(c *wire.Client) error { _, err := c.Blob(bg, xs(3), 3); return err }
	say := func(s *script) { s.want("hi") }
	sa := func(c *wire.Client) error { _, err := c.Say(bg, "hi"); return err }
	xxx := crc("xxx")
	tests := []struct {
		name   string
		before func(*script)
		reply  string
		call   func(*wire.Client) error
	}{
		{"wrong digest", upload, saved(1, "f", "xxy"), up},
		{"wrong size", upload, "SAVED|upload=1|name=f|size=4|crc64nvme=" + xxx + "|", up},
		{"no size", upload, "SAVED|upload=1|name=f|crc64nvme=" + xxx + "|", up},
		{"no digest", upload, "SAVED|upload=1|name=f|size=3|", up},
		{"half a digest", upload, "SAVED|upload=1|name=f|size=3|crc64nvme=" + xxx[:8] + "|", up},
		{"another digest", upload, "SAVED|upload=1|name=f|size=3|sha256=" + xxx + "|", up},
		{"first of two sizes", upload, "SAVED|upload=1|name=f|size=4|size=3|crc64nvme=" + xxx + "|", up},
		{"OK for SAVED", upload, kept("f", "xxx"), up},
		{"a text", upload, "SAVED", up},
		{"malformed", upload, "SAVED|upload", up},
		{"wrong digest of a blob", blob, kept("a.bin", "xxy"), bl},
		{"wrong size of a blob", blob, "OK|name=a.bin|size=2|crc64nvme=" + xxx + "|", bl},
		{"nothing of a blob", blob, "OK|", bl},
		{"SAVED of a blob", blob, saved(1, "a.bin", "xxx"), bl},
		{"SAVED for OK", func(s *script) { s.want("f|size=3|") }, saved(1, "f", "xxx"), up},
		{"text for OK", func(s *script) { s.want("f|size=3|") }, "OK", up},
		{"OK to a text", say, "OK|", sa},
		{"nothing but NUL to a text", say, "|", sa},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			talk(t, func(s *script) {
				tt.before(s)
				s.say(tt.reply)
				s.want("EOF")
			}, func(t *testing.T, c *wire.Client) {
				err := tt.call(c)
				if err == nil {
					t.Fatal("that was a success")
				}
				if _, refusal := errors.AsType[*wire.Error](err); refusal {
					t.Errorf("that was no refusal of the server: %v", err)
				}
				synctest.Wait()
				if c.Err() == nil {
					t.Error("the conversation goes on")
				}
				if tt.call(c) == nil {
					t.Error("and then it was a success")
				}
			})
		})
	}
}

func TestClientIsRefused(t *testing.T) {
	no := &wire.Error{Code: wire.CodeNoSpace, Text: "full"}
	tests := []struct {
		name   string
		play   func(*script)
		call   func(*wire.Client) error
		want   *wire.Error
		usable bool
	}{
		{"announcement", func(s *script) { s.want("f|size=3|"); s.say("ERROR|code=no-space|text=full|upload=1|") },
			func(c *wire.Client) error { _, err := c.Upload(bg, known(3), xs(3)); return err }, no, true},
		{"at the end", func(s *script) {
			s.want("f|size=3|")
			s.say(ok(1))
			s.want("Data 3", endOf(3))
			s.say("ERROR|code=no-space|text=full|upload=1|")
		}, func(c *wire.Client) error { _, err := c.Upload(bg, known(3), xs(3)); return err }, no, true},
		{"in mid body", func(s *script) {
			s.want("f|")
			s.say(ok(1))
			s.want("Data 1")
			s.say("WAIT|", "ERROR|code=no-space|text=full|upload=1|")
			for got := s.next(); got != "CANCEL|"; got = s.next() {
				if got != "Data 1" {
					s.t.Errorf("the client sent %q", got)
					return
				}
			}
		}, func(c *wire.Client) error {
			_, err := c.Upload(bg, stream, &slow{n: 1000, every: time.Second})
			return err
		}, no, true},
		{"blob", func(s *script) { s.want("Data 3"); s.say("ERROR|code=no-space|text=full|") },
			func(c *wire.Client) error { _, err := c.Blob(bg, xs(3), 3); return err }, no, true},
		{"say", func(s *script) { s.want("hi"); s.say("ERROR|code=no-space|text=full|") },
			func(c *wire.Client) error { _, err := c.Say(bg, "hi"); return err }, no, true},
		{"shutdown", func(s *script) { s.want("hi"); s.say("ERROR|code=shutdown|text=bye|") },
			func(c *wire.Client) error { _, err := c.Say(bg, "hi"); return err }, &wire.Error{Code: wire.CodeShutdown, Text: "bye"}, false},
		{"no words", func(s *script) { s.want("hi"); s.say("ERROR|") },
			func(c *wire.Client) error { _, err := c.Say(bg, "hi"); return err }, &wire.Error{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			talk(t, func(s *script) {
				tt.play(s)
				if tt.usable {
					s.want("still there")
					s.say("yes")
				}
				s.want("EOF")
			}, func(t *testing.T, c *wire.Client) {
				err := tt.call(c)
				refusal, _ := errors.AsType[*wire.Error](err)
				if diff := cmp.Diff(tt.want, refusal); diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
				if c.Err() == nil != tt.usable {
					t.Errorf("Usable is %v", c.Err() == nil)
				}
				if tt.usable {
					if got, err := c.Say(bg, "still there"); got != "yes" || err != nil {
						t.Errorf("then: %q, %v", got, err)
					}
				}
			})
		})
	}
}

// A slow source has n bytes, one every so often.
type slow struct {
	n     int
	every time.Duration
	err   error // at the end, in place of io.EOF
}

func (s *slow) Read(p []byte) (int, error) {
	time.Sleep(s.every)
	if s.n == 0 {
		if s.err != nil {
			return 0, s.err
		}
		return 0, io.EOF
	}
	s.n--
	p[0] = 'x'
	return 1, nil
}

// TestClientRefusesToSend has what cannot be said in the protocol.
func TestClientRefusesToSend(t *testing.T) {
	talk(t, func(s *script) { s.want("EOF") }, func(t *testing.T, c *wire.Client) {
		for _, text := range []string{strings.Repeat("x", 4097), strings.Repeat("x", 1<<16+1), "a\x00b", "a\xff"} {
			if _, err := c.Say(bg, text); !isSourceError(err) {
				t.Errorf("Say(%.10q): %v", text, err)
			}
		}
		for _, name := range []string{strings.Repeat("x", 3073), "a\x00size=1\x00", "a\xff"} {
			if _, err := c.Upload(bg, wire.Announcement{Name: name}, xs(0)); !isSourceError(err) {
				t.Errorf("Upload(%.10q): %v", name, err)
			}
		}
		if c.Err() != nil {
			t.Error("not usable afterwards")
		}
	})
}

func isSourceError(err error) bool {
	_, is := errors.AsType[*wire.SourceError](err)
	return is
}
