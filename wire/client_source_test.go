package wire_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestSourceFails has sources that are not what was announced: the server is
// told, nothing is kept, and the next file goes over the same connection.
func TestSourceFails(t *testing.T) {
	torn := errors.New("torn")
	tests := []struct {
		name   string
		a      wire.Announcement
		source io.Reader
		sends  []string
		want   string
	}{
		{"empty", known(3), xs(0), nil, "became shorter while it was read"},
		{"shrinks", known(3), xs(2), nil, "became shorter while it was read"},
		{"shrinks by much", known(3 << 20), xs(2<<20 + 5), []string{"Data 1048576", "Data 1048576"}, "became shorter while it was read"},
		{"grows", known(3), xs(4), nil, "grew while it was read"},
		{"grows after a chunk", known(1 << 20), xs(1<<20 + 1), []string{"Data 1048576"}, "grew while it was read"},
		{"is not empty", known(0), xs(1), nil, "grew while it was read"},
		{"fails", known(3), io.MultiReader(xs(2), iotest.ErrReader(torn)), nil, "torn"},
		{"fails at the end", known(3), io.MultiReader(xs(3), iotest.ErrReader(torn)), []string{"Data 3"}, "torn"},
		{"stream fails", stream, &slow{n: 2, err: torn}, []string{"Data 1", "Data 1"}, "torn"},
		{"stream fails unexpectedly", stream, iotest.ErrReader(io.ErrUnexpectedEOF), nil, "unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			talk(t, func(s *script) {
				if got := s.next(); !strings.HasPrefix(got, "f|") {
					s.t.Errorf("the client sent %q", got)
				}
				s.say(ok(1))
				for got := s.next(); got != "CANCEL|"; got = s.next() {
					if strings.HasPrefix(got, "END") || !strings.HasPrefix(got, "Data ") {
						s.t.Errorf("the client sent %q", got)
						return
					}
				}
				s.say("ERROR|code=cancelled|upload=1|")
				s.want("f|size=2|")
				s.say(ok(2))
				s.want("Data 2", endOf(2))
				s.say(saved(2, "f", "xx"))
				s.want("EOF")
			}, func(t *testing.T, c *wire.Client) {
				_, err := c.Upload(bg, tt.a, tt.source)
				if !isSourceError(err) || err.Error() != tt.want {
					t.Errorf("Upload: %v, want %q", err, tt.want)
				}
				if c.Err() != nil {
					t.Fatal("not usable afterwards")
				}
				if _, err := c.Upload(bg, known(2), xs(2)); err != nil {
					t.Errorf("the next Upload: %v", err)
				}
			})
		})
	}
}

// TestBlobSourceFails has blobs shorter than the header says: only the end of
// the connection can take it back.
func TestBlobSourceFails(t *testing.T) {
	torn := errors.New("torn")
	for name, source := range map[string]io.Reader{
		"short": xs(2 << 20), "empty": xs(0), "fails": io.MultiReader(xs(2<<20), iotest.ErrReader(torn)),
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, func(s *script) {
				begin := time.Now()
				if got := s.next(); got != "EOF" && got != "unexpected EOF" && !strings.HasPrefix(got, "Data 2097152 of") {
					s.t.Errorf("the server got %q", got)
				}
				if d := time.Since(begin); d > 0 {
					s.t.Errorf("the server learned of it after %v", d)
				}
			}, func(t *testing.T, c *wire.Client) {
				_, err := c.Blob(bg, source, 3<<20)
				if !isSourceError(err) || c.Err() == nil {
					t.Errorf("Blob: %v; Usable is %v", err, c.Err() == nil)
				}
				time.Sleep(time.Second) // the server is told without Close
			})
		})
	}
}

// TestBlobOfWholeChunks has the answer come while the client might still ask
// its source for more than the blob's last byte.
func TestBlobOfWholeChunks(t *testing.T) {
	const size, blobs = 1 << 20, 50
	answer := kept("a.bin", strings.Repeat("x", size))
	talk(t, func(s *script) {
		for range blobs {
			s.want("Data 1048576")
			s.say(answer)
		}
	}, func(t *testing.T, c *wire.Client) {
		for n := range blobs {
			if _, err := c.Blob(bg, xs(size), size); err != nil {
				t.Errorf("Blob %d: %v", n, err)
				return
			}
		}
	})
}

// TestSlowSource checks that a client whose source is slow shows that it is
// alive.
func TestSlowSource(t *testing.T) {
	talk(t, func(s *script) {
		s.want("f|")
		s.say(ok(1))
		begin := time.Now()
		for _, at := range []time.Duration{15, 30, 45, 60} {
			s.want("Data 0")
			if d := time.Since(begin); d != at*time.Second {
				s.t.Errorf("after %v, want %v s", d, at)
			}
		}
		s.want("Data 1")
		for range 4 {
			s.want("Data 0")
		}
		s.want(endOf(1))
		s.say(saved(1, "f", "x"))
		s.want("EOF")
	}, func(t *testing.T, c *wire.Client) {
		if _, err := c.Upload(bg, stream, &slow{n: 1, every: 61 * time.Second}); err != nil {
			t.Errorf("Upload: %v", err)
		}
	})
}

// TestClientLosesTheServer has servers that go away or keep silent.
func TestClientLosesTheServer(t *testing.T) {
	up := func(c *wire.Client) error { _, err := c.Upload(bg, known(3), xs(3)); return err }
	endless := func(c *wire.Client) error {
		_, err := c.Upload(bg, stream, &slow{n: 1 << 20})
		return err
	}
	bl := func(c *wire.Client) error { _, err := c.Blob(bg, xs(3), 3); return err }
	sa := func(c *wire.Client) error { _, err := c.Say(bg, "hi"); return err }
	silent := func(s *script) {
		for got := s.next(); got != "EOF" && !strings.HasPrefix(got, "Data 3 of"); got = s.next() {
		}
	}
	const halfMinute = 30 * time.Second
	tests := []struct {
		name string
		play func(*script)
		call func(*wire.Client) error
		want func(error) bool
		took time.Duration
	}{
		{"closes at once", func(s *script) { s.want("hi") }, sa, is(wire.ErrNoAnswer), 0},
		{"closes after the announcement", func(s *script) { s.want("f|size=3|") }, up, is(wire.ErrNoAnswer), 0},
		{"closes before SAVED", func(s *script) { s.want("f|size=3|"); s.say(ok(1)); s.want("Data 3", endOf(3)) }, up, is(wire.ErrNoAnswer), 0},
		{"closes in the middle of SAVED", func(s *script) {
			s.want("f|size=3|")
			s.say(ok(1))
			s.want("Data 3", endOf(3))
			whole := str(saved(1, "f", "xxx"))
			s.bare(whole[:len(whole)-1])
		}, up, is(io.ErrUnexpectedEOF), 0},
		{"closes before OK to a blob", func(s *script) { s.want("Data 3") }, bl, is(wire.ErrNoAnswer), 0},
		{"closes in mid body", func(s *script) { s.want("f|"); s.say(ok(1)); s.want("Data 1") }, endless,
			func(err error) bool { return errors.Is(err, wire.ErrNoAnswer) || errors.Is(err, io.ErrClosedPipe) }, 0},
		{"says nothing", silent, sa, silence, halfMinute},
		{"says nothing to an announcement", silent, up, silence, halfMinute},
		{"says nothing to a blob", silent, bl, silence, halfMinute},
		{"is at work, then silent", func(s *script) {
			s.want("hi")
			for range 3 {
				time.Sleep(halfMinute - 1)
				s.say("WAIT|")
			}
			silent(s)
		}, sa, silence, 4*halfMinute - 3},
		{"reads nothing", func(s *script) { time.Sleep(time.Hour) }, sa, isTimeout, halfMinute + 2*time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			talk(t, tt.play, func(t *testing.T, c *wire.Client) {
				begin := time.Now()
				if err := tt.call(c); !tt.want(err) {
					t.Errorf("%v", err)
				}
				if took := time.Since(begin); took != tt.took {
					t.Errorf("after %v, want %v", took, tt.took)
				}
				if c.Err() == nil {
					t.Error("Usable")
				}
			})
		})
	}
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

func silence(err error) bool {
	return err != nil && err.Error() == "the server did not answer in time"
}

// TestForeignAnswers has programs that speak something else.
func TestForeignAnswers(t *testing.T) {
	tests := []struct {
		answer string
		lab    bool
	}{
		{"HTTP/1.1 400 Bad Request\r\n", false},
		{"SSH-2.0-OpenSSH_9.6\r\n", false},
		{"OK", true},
		{"Message: hi", true},
		{"\x16\x03\x01", false},
	}
	for _, tt := range tests {
		t.Run(tt.answer, func(t *testing.T) {
			talk(t, func(s *script) {
				s.next()
				s.bare(tt.answer)
				s.want("EOF")
			}, func(t *testing.T, c *wire.Client) {
				_, err := c.Say(bg, "hi")
				foreign, _ := errors.AsType[*wire.ForeignError](err)
				if foreign == nil || string(foreign.Got) != tt.answer || foreign.IsLab() != tt.lab || c.Err() == nil {
					t.Errorf("Say: %v; Usable is %v", err, c.Err() == nil)
				}
			})
		})
	}
}

// TestPendingError has a server that refuses and hangs up while the client is
// stuck in a write: the refusal is the better reason.
func TestPendingError(t *testing.T) {
	for name, call := range map[string]func(c *wire.Client) error{
		"upload": func(c *wire.Client) error { _, err := c.Upload(bg, known(5<<20), xs(5<<20)); return err },
		"blob":   func(c *wire.Client) error { _, err := c.Blob(bg, xs(5<<20), 5<<20); return err },
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, func(s *script) {
				if name == "upload" {
					s.want("f|size=5242880|")
					s.say(ok(1))
				}
				var head [6]byte
				io.ReadFull(s.r, head[:])
				s.say("ERROR|code=too-large|text=no|")
				s.hangup()
			}, func(t *testing.T, c *wire.Client) {
				refusal, _ := errors.AsType[*wire.Error](call(c))
				if refusal == nil || refusal.Code != wire.CodeTooLarge || c.Err() == nil {
					t.Errorf("%v; Usable is %v", refusal, c.Err() == nil)
				}
			})
		})
	}
}

// TestUnasked has a connection that the server ends while nobody uses it.
func TestUnasked(t *testing.T) {
	for name, last := range map[string]string{"with words": str("ERROR|code=timeout|"), "without": ""} {
		t.Run(name, func(t *testing.T) {
			talk(t, func(s *script) {
				s.want("hi")
				s.say("yes")
				time.Sleep(time.Second)
				if last != "" {
					s.bare(last)
				}
			}, func(t *testing.T, c *wire.Client) {
				if _, err := c.Say(bg, "hi"); err != nil || c.Err() != nil {
					t.Errorf("Say: %v; Usable is %v", err, c.Err() == nil)
				}
				time.Sleep(time.Minute)
				for range 2 {
					if c.Err() == nil {
						t.Error("Usable after the end")
					}
				}
			})
		})
	}
}
