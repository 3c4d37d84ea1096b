package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// withID is an announcement of so many bytes that can be resumed.
func withID(size int) wire.Announcement {
	a := known(size)
	a.ID = "i"
	return a
}

// abc returns n bytes, of which any two neighbours differ.
func abc(n int) string { return strings.Repeat("abcdefghijklmnopqrstuvwxyz", n/26+1)[:n] }

func endOfText(b string) string { return fmt.Sprintf("END|size=%d|crc64nvme=%s|", len(b), crc(b)) }

// TestClientResumes has a server that has the beginning of the file.
func TestClientResumes(t *testing.T) {
	const mib = 1 << 20
	big := abc(3*mib + 7)
	tests := []struct {
		name, body string
		have       string
		sends      []string
		resumed    int64
	}{
		{"nothing", "abcde", "", []string{"Data 5"}, 0},
		{"one byte", "abcde", "a", []string{"Data 4"}, 1},
		{"all but one", "abcde", "abcd", []string{"Data 1"}, 4},
		{"all", "abcde", "abcde", nil, 5},
		{"other bytes", "abcde", "abd", []string{"RESTART|", "Data 5"}, 0},
		{"all, but other bytes", "abcde", "abcdf", []string{"RESTART|", "Data 5"}, 0},
		{"a chunk", big, big[:mib], []string{"Data 1048576", "Data 1048576", "Data 7"}, mib},
		{"less than a chunk", big, big[:mib-1], []string{"Data 1048576", "Data 1048576", "Data 8"}, mib - 1},
		{"more than two chunks", big, big[:2*mib+1], []string{"Data 1048576", "Data 6"}, 2*mib + 1},
		{"three chunks, the last byte is another", big, big[:3*mib-1] + "?", []string{"RESTART|", "Data 1048576", "Data 1048576", "Data 1048576", "Data 7"}, 0},
		{"an empty file", "", "", nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			talk(t, func(s *script) {
				s.want(fmt.Sprintf("f|id=i|size=%d|proof=blake3,sha256|", len(tt.body)))
				if tt.have == "" {
					s.say(ok(1))
				} else {
					s.say("WAIT|", okFrom(1, tt.have))
				}
				s.want(tt.sends...)
				s.want(endOfText(tt.body))
				s.say(saved(1, "f", tt.body))
				s.want("EOF")
			}, func(t *testing.T, c *wire.Client) {
				got, err := c.Upload(bg, withID(len(tt.body)), strings.NewReader(tt.body))
				if err != nil || got.Resumed != tt.resumed || got.Size != int64(len(tt.body)) || got.Hex() != crc(tt.body) {
					t.Errorf("Upload: %+v, %v", got, err)
				}
			})
		})
	}
}

// TestClientNamesRestart uploads a file of the name of a request.
func TestClientNamesRestart(t *testing.T) {
	talk(t, func(s *script) {
		s.want("./RESTART|size=0|")
		s.say(ok(1))
		s.want(endOf(0))
		s.say(saved(1, "RESTART", ""))
		s.want("EOF")
	}, func(t *testing.T, c *wire.Client) {
		if _, err := c.Upload(bg, wire.Announcement{Name: "RESTART"}, xs(0)); err != nil {
			t.Errorf("Upload: %v", err)
		}
	})
}

func TestClientResumesBySHA256(t *testing.T) {
	talk(t, func(s *script) {
		s.want("f|id=i|size=3|digest=sha256|proof=blake3,sha256|")
		s.say("OK|upload=1|offset=2|crc64nvme=00|sha256=fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603|")
		s.want("Data 1", "END|size=3|sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|")
		s.say("SAVED|upload=1|name=f|size=3|sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|")
		s.want("EOF")
	}, func(t *testing.T, c *wire.Client) {
		a := withID(3)
		a.Digest, _ = wire.DigestByName("sha256")
		if got, err := c.Upload(bg, a, strings.NewReader("abc")); err != nil || got.Resumed != 2 {
			t.Errorf("Upload: %+v, %v", got, err)
		}
	})
}

// TestClientBelievesNoChecksum has a server that proves what it has by a checksum
// that anybody can forge, or not at all: the client sends everything.
func TestClientBelievesNoChecksum(t *testing.T) {
	for _, proof := range []string{"", "crc64nvme=" + crc("ab") + "|", "md5=" + strings.Repeat("00", 16) + "|"} {
		talk(t, func(s *script) {
			s.want("f|id=i|size=3|proof=blake3,sha256|")
			s.say("OK|upload=1|offset=2|" + proof)
			s.want("RESTART|", "Data 3", endOfText("abc"))
			s.say(saved(1, "f", "abc"))
			s.want("EOF")
		}, func(t *testing.T, c *wire.Client) {
			if got, err := c.Upload(bg, withID(3), strings.NewReader("abc")); err != nil || got.Resumed != 0 {
				t.Errorf("Upload: %+v, %v", got, err)
			}
		})
	}
}

// TestClientNeedNotSend has a server that has the contents that the client tells of,
// and one that has them under another name, or does not know what that means.
func TestClientNeedNotSend(t *testing.T) {
	talk(t, func(s *script) {
		announced := "f|size=3|blake3=" + sum(byBLAKE3, "abc") + "|"
		s.want(announced)
		s.say("SAVED|upload=1|unchanged=1|")
		s.want(announced)
		s.say("SAVED|upload=2|unchanged=1|name=f (2)|")
		s.want(announced)
		s.say(ok(3))
		s.want("Data 3", endOfText("abc"))
		s.say(saved(3, "f (3)", "abc"))
		s.want("EOF")
	}, func(t *testing.T, c *wire.Client) {
		a := known(3)
		a.Tell([]byte("abc"))
		for i, name := range []string{"f", "f (2)", "f (3)"} {
			got, err := c.Upload(bg, a, strings.NewReader("abc"))
			if err != nil || got.Name != name || got.Unchanged != (i < 2) || got.Size != 3 || got.Hex() != crc("abc") {
				t.Errorf("Upload: %+v, %v", got, err)
			}
		}
	})
}

// TestClientDoubtsOffsets has OKs that make no sense.
func TestClientDoubtsOffsets(t *testing.T) {
	digest := "crc64nvme=" + crc("ab") + "|"
	noID, noSize := known(3), withID(-1)
	noID.ID = ""
	for _, tt := range []struct {
		name, ok string
		a        wire.Announcement
	}{
		{"beyond the size", "OK|upload=1|offset=4|" + digest, withID(3)},
		{"without an id", "OK|upload=1|offset=2|" + digest, noID},
		{"without a size", "OK|upload=1|offset=2|" + digest, noSize},
		{"negative", "OK|upload=1|offset=-1|" + digest, withID(3)},
		{"huge", "OK|upload=1|offset=9223372036854775808|" + digest, withID(3)},
		{"missing", "OK|upload=1|" + digest, withID(3)},
		{"half a digest", "OK|upload=1|offset=2|blake3=" + strings.Repeat("00", 16) + "|", withID(3)},
		{"odd digest", "OK|upload=1|offset=2|blake3=" + strings.Repeat("00", 31) + "0|", withID(3)},
		{"no digits", "OK|upload=1|offset=2|sha256=" + strings.Repeat("no", 32) + "|", withID(3)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			talk(t, func(s *script) {
				s.next()
				s.say(tt.ok)
				s.want("EOF")
			}, func(t *testing.T, c *wire.Client) {
				got, err := c.Upload(bg, tt.a, strings.NewReader("abc"))
				if _, refusal := errors.AsType[*wire.Error](err); err == nil || refusal || isSourceError(err) {
					t.Errorf("Upload: %v", err)
				}
				if got.Size != 0 || got.Resumed != 0 || got.Name != "" || c.Err() == nil {
					t.Errorf("Upload: %+v; Usable is %v", got, c.Err() == nil)
				}
			})
		})
	}
}

// A seeker lets any source be rewound, by a function.
type seeker struct {
	io.Reader
	rewind func() error
}

func (s seeker) Seek(int64, int) (int64, error) { return 0, s.rewind() }

// TestPrefixFails has sources that are not what was announced, where the server
// has a beginning: it is told, and the next file goes over the same connection.
func TestPrefixFails(t *testing.T) {
	torn := errors.New("torn")
	failing := func(b string) io.Reader { return io.MultiReader(strings.NewReader(b), failingReader{torn}) }
	const mib = 1 << 20
	tests := []struct {
		name    string
		size    int
		have    string
		source  io.Reader
		rewind  error
		want    string
		resumed int64
	}{
		{"empty", 5, "abc", strings.NewReader(""), nil, "became shorter while it was read", 3},
		{"shrinks within", 5, "abc", strings.NewReader("ab"), nil, "became shorter while it was read", 3},
		{"shrinks behind", 5, "abc", strings.NewReader("abc"), nil, "became shorter while it was read", 3},
		{"shrinks within by much", 3 * mib, abc(2*mib + 1), strings.NewReader(abc(mib)), nil, "became shorter while it was read", 2*mib + 1},
		{"grows", 5, "abc", strings.NewReader("abcdef"), nil, "grew while it was read", 3},
		{"grows where nothing is missing", 3, "abc", strings.NewReader("abcd"), nil, "grew while it was read", 3},
		{"fails at once", 5, "abc", failing(""), nil, "torn", 3},
		{"fails within", 5, "abc", failing("ab"), nil, "torn", 3},
		{"fails behind", 5, "abc", failing("abcd"), nil, "torn", 3},
		{"cannot be rewound", 5, "abd", strings.NewReader("abcde"), torn, "torn", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			talk(t, func(s *script) {
				s.want(fmt.Sprintf("f|id=i|size=%d|proof=blake3,sha256|", tt.size))
				s.say(okFrom(1, tt.have))
				s.want("CANCEL|")
				s.say("ERROR|code=cancelled|upload=1|")
				s.want("f|size=2|")
				s.say(ok(2))
				s.want("Data 2", endOf(2))
				s.say(saved(2, "f", "xx"))
				s.want("EOF")
			}, func(t *testing.T, c *wire.Client) {
				got, err := c.Upload(bg, withID(tt.size), seeker{tt.source, func() error { return tt.rewind }})
				if !isSourceError(err) || err.Error() != tt.want || got.Resumed != tt.resumed || got.Size != 0 {
					t.Errorf("Upload: %+v, %v; want %q", got, err, tt.want)
				}
				if _, err := c.Upload(bg, known(2), xs(2)); err != nil {
					t.Errorf("the next Upload: %v", err)
				}
			})
		})
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// TestPrefixRefused has a server that refuses while the client reads.
func TestPrefixRefused(t *testing.T) {
	talk(t, func(s *script) {
		s.want("f|id=i|size=5|proof=blake3,sha256|")
		s.say(okFrom(1, "xxx"), "ERROR|code=no-space|text=full|upload=1|")
		s.want("CANCEL|", "hi")
		s.say("yes")
		s.want("EOF")
	}, func(t *testing.T, c *wire.Client) {
		source := seeker{&slow{n: 5, every: time.Second}, nil}
		got, err := c.Upload(bg, withID(5), source)
		refusal, _ := errors.AsType[*wire.Error](err)
		if refusal == nil || refusal.Code != wire.CodeNoSpace || got.Resumed != 3 {
			t.Errorf("Upload: %+v, %v", got, err)
		}
		if _, err := c.Say(bg, "hi"); err != nil {
			t.Errorf("then: %v", err)
		}
	})
}

// TestRestartRefused has a server that cannot drop what it has.
func TestRestartRefused(t *testing.T) {
	talk(t, func(s *script) {
		s.want("f|id=i|size=5|proof=blake3,sha256|")
		s.say(okFrom(1, "xyz"))
		s.want("RESTART|")
		s.say("ERROR|code=internal|text=no|upload=1|")
		if got := s.next(); got != "CANCEL|" {
			s.t.Errorf("the client sent %q", got)
		}
		s.want("EOF")
	}, func(t *testing.T, c *wire.Client) {
		source := &rewound{n: 5, fast: 3}
		got, err := c.Upload(bg, withID(5), source)
		refusal, _ := errors.AsType[*wire.Error](err)
		if refusal == nil || refusal.Code != wire.CodeInternal || got.Resumed != 0 || c.Err() != nil {
			t.Errorf("Upload: %+v, %v; Usable is %v", got, err, c.Err() == nil)
		}
	})
}

// rewound is a slow source that really can be rewound.
type rewound struct {
	n, fast int // all bytes, and how many of them come at once the first time
	slow    *slow
}

func (r *rewound) Read(p []byte) (int, error) {
	if r.fast > 0 {
		r.fast--
		return copy(p, "x"), nil
	}
	if r.slow == nil {
		r.slow = &slow{n: r.n, every: 20 * time.Second}
	}
	return r.slow.Read(p)
}

func (r *rewound) Seek(int64, int) (int64, error) { r.slow = nil; return 0, nil }

// TestSlowPrefix checks that a client that reads long what the server has
// shows that it is alive.
func TestSlowPrefix(t *testing.T) {
	talk(t, func(s *script) {
		s.want("f|id=i|size=4|proof=blake3,sha256|")
		s.say(okFrom(1, "xxx"))
		begin := time.Now()
		for _, at := range []time.Duration{15, 30, 45, 60} {
			s.want("Data 0")
			if d := time.Since(begin); d != at*time.Second {
				s.t.Errorf("after %v, want %v s", d, at)
			}
		}
		for got := s.next(); got != "Data 1"; got = s.next() {
			if got != "Data 0" {
				s.t.Errorf("the client sent %q", got)
				return
			}
		}
		s.want(endOf(4))
		s.say(saved(1, "f", "xxxx"))
		s.want("EOF")
	}, func(t *testing.T, c *wire.Client) {
		if got, err := c.Upload(bg, withID(4), &rewound{n: 4}); err != nil || got.Resumed != 3 {
			t.Errorf("Upload: %+v, %v", got, err)
		}
	})
}

// TestResumedBesideErrors has uploads that fail after they were resumed.
func TestResumedBesideErrors(t *testing.T) {
	for name, play := range map[string]func(*script){
		"refused at the end": func(s *script) { s.want("Data 2", endOfText("abcde")); s.say("ERROR|code=mismatch|upload=1|") },
		"superseded":         func(s *script) { s.want("Data 2", endOfText("abcde")); s.say(superseded) },
		"connection lost":    func(s *script) { s.want("Data 2") },
		"lost at the end":    func(s *script) { s.want("Data 2", endOfText("abcde")) },
		"other bytes kept":   func(s *script) { s.want("Data 2", endOfText("abcde")); s.say(saved(1, "f", "abcdf")) },
		"the rest kept":      func(s *script) { s.want("Data 2", endOfText("abcde")); s.say(saved(1, "f", "de")) },
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, func(s *script) {
				s.want("f|id=i|size=5|proof=blake3,sha256|")
				s.say(okFrom(1, "abc"))
				play(s)
			}, func(t *testing.T, c *wire.Client) {
				got, err := c.Upload(bg, withID(5), strings.NewReader("abcde"))
				if err == nil || got.Resumed != 3 || got.Name != "" || got.Size != 0 {
					t.Errorf("Upload: %+v, %v", got, err)
				}
				if c.Err() == nil && name != "refused at the end" {
					t.Error("Usable")
				}
			})
		})
	}
}

func TestResumeContext(t *testing.T) {
	enough := errors.New("enough")
	for name, play := range map[string]func(s *script){
		"prefix":                 func(s *script) { s.say(okFrom(1, "xxx")); s.want("Data 0", "Data 0", "EOF") },
		"prefix, nobody reads":   func(s *script) { s.say(okFrom(1, "xxx")); time.Sleep(time.Hour) },
		"behind another's bytes": func(s *script) { s.say(okFrom(1, "y")); s.want("Data 0", "RESTART|", "Data 0", "EOF") },
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, func(s *script) {
				s.want("f|id=i|size=4|proof=blake3,sha256|")
				play(s)
			}, func(t *testing.T, c *wire.Client) {
				ctx, cancel := context.WithCancelCause(bg)
				time.AfterFunc(36*time.Second, func() { cancel(enough) })
				if got, err := c.Upload(ctx, withID(4), &rewound{n: 4}); err != enough || c.Err() == nil || got.Size != 0 {
					t.Errorf("Upload: %+v, %v; Usable is %v", got, err, c.Err() == nil)
				}
			})
		})
	}
}

func TestClientRefusesIDs(t *testing.T) {
	talk(t, func(s *script) {
		s.want("f|id=i|size=1|proof=blake3,sha256|")
		s.say(ok(1))
		s.want("CANCEL|", "EOF")
	}, func(t *testing.T, c *wire.Client) {
		for _, id := range []string{strings.Repeat("i", 129), "a\x00b", "\xff"} {
			a := withID(1)
			a.ID = id
			if _, err := c.Upload(bg, a, strings.NewReader("x")); !isSourceError(err) {
				t.Errorf("Upload with ID %.10q: %v", id, err)
			}
		}
		if _, err := c.Upload(bg, withID(1), failingReader{}); !isSourceError(err) || c.Err() != nil {
			t.Errorf("Upload of what cannot be rewound: %v; Usable is %v", err, c.Err() == nil)
		}
	})
}
