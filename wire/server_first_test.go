package wire_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// TestFirstByte sends each of the 256 bytes first.
func TestFirstByte(t *testing.T) {
	first := map[byte]string{} // a printable character that begins with the byte
	for r := rune(' '); r <= utf8.MaxRune; r++ {
		if s := string(r); r != 0x7f && r != utf8.RuneError && first[s[0]] == "" {
			first[s[0]] = s
		}
	}
	for i := range 256 {
		b := byte(i)
		t.Run(fmt.Sprintf("%02x", b), func(t *testing.T) {
			serve(t, nil, func(w *world) {
				p := w.dial()
				char, isText := first[b]
				switch {
				case b == 1:
					p.send(str("hi"))
					p.hear("Message: hi")
				case b >= 2 && b <= 9:
					p.send(data(b, ""))
					p.hear(kept("#1", ""))
				case isText:
					p.send(char)
					time.Sleep(100 * time.Millisecond)
					p.hearBare("Message: " + char)
					p.wantClosed()
					w.wantDid("say " + char)
				default:
					p.send(string([]byte{b}))
					p.hear("ERROR|code=protocol|")
					p.wantClosed()
					w.wantDid()
				}
				p.Close()
			})
		})
	}
}

// TestAmbiguousFirst has beginnings that two dialects share.
func TestAmbiguousFirst(t *testing.T) {
	type then struct {
		wait time.Duration
		send string
	}
	const long = time.Second
	spaces := strings.Repeat(" ", 32) // as many as a space is, as a length
	tests := []struct {
		name string
		send []then
		end  bool // the client ends its stream
		want string
		did  []string
	}{
		{"a letter and the end", []then{{0, "\x01A"}}, true, "OK", []string{"say A"}},
		{"a letter and silence", []then{{long, "\x01A"}, {100 * time.Millisecond, ""}}, false, "OK", []string{"say A"}},
		{"a letter, silence and a Data", []then{{long, "\x01A"}, {200 * time.Millisecond, ""}, {200 * time.Millisecond, data(2, "x")}}, false, "OK", []string{"say A", "upload A"}},
		{"a header split for less than a second", []then{{long - 1, "\x01 "}, {0, str(spaces)[2:]}}, false,
			str("Message: " + spaces), []string{"say " + spaces}},
		{"a length of one byte that is no letter", []then{{2 * long, "\x01\x03"}, {0, "\x00abc"}}, false, str("Message: abc"), []string{"say abc"}},
		{"half a character and the end", []then{{0, "\x01\xc5"}}, true, "ERROR: text is not valid UTF-8", nil},
		{"a length of 4096", []then{{0, "\x01\x00\x10"}, {11 * time.Second, ""}}, false, "timeout", nil},
		{"a length of 4097 in characters that are none", []then{{0, "\x01\x01\x10"}, {0, ""}}, true, "OKOK", []string{"say", "say \x10"}},
		{"two letters", []then{{100 * time.Millisecond, "\x01AB"}}, false, "OK", []string{"say AB"}},
		{"a type and the end", []then{{0, "\x01"}}, true, "", nil},
		{"a type, a byte and the end", []then{{0, "\x01\x05"}}, true, "", nil},
		{"Data, then a lab text", []then{{0, data(2, "x")}, {100 * time.Millisecond, "\x01hello"}}, false,
			str(kept("#1", "x")) + "OK", []string{"blob #1", "say hello"}},
		{"Data, then a String", []then{{0, data(2, "x") + str("hi")}}, false,
			str(kept("#1", "x")) + str("Message: hi"), []string{"blob #1", "say hi"}},
		{"a String, then a lab text", []then{{0, str("hi") + "\x01hello"}}, false,
			str("Message: hi") + "protocol", []string{"say hi"}},
		{"raw text in two packets", []then{{99 * time.Millisecond, "one "}, {100 * time.Millisecond, "two"}}, false,
			"Message: one two", []string{"say one two"}},
		{"raw text and the end", []then{{0, "one\n"}}, true, "Message: one\n", []string{"say one\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, nil, func(w *world) {
				p := w.dial()
				for _, s := range tt.send {
					p.send(s.send)
					synctest.Wait()
					time.Sleep(s.wait)
				}
				if tt.end {
					must(t, p.CloseWrite())
				}
				got := p.heard()
				switch tt.want {
				case "timeout":
					if d := decode(got); !slices.Equal(d, []string{timeoutReply}) {
						t.Errorf("heard %q", d)
					}
				case str("Message: hi") + "protocol":
					if d := decode(got); !slices.Equal(d, []string{"Message: hi", "ERROR|code=protocol|"}) {
						t.Errorf("heard %q", d)
					}
				default:
					if got != tt.want {
						t.Errorf("heard %q, want %q", got, tt.want)
					}
				}
				w.wantDidInAnyOrder(tt.did...)
				p.Close()
			})
		})
	}
}

// TestRawText answers what netcat sends.
func TestRawText(t *testing.T) {
	long := strings.Repeat("x", 4096)
	tests := []struct{ name, send, want string }{
		{"netcat", "hello\n", "Message: hello\n"},
		{"4096 bytes", long, "Message: " + long},
		{"a character cut at 4096", long[:4095] + "ż", "Message: " + long[:4095]},
		{"not UTF-8", "caf\xe9 au lait", "ERROR: text is not valid UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, nil, func(w *world) {
				p := w.dial()
				p.send(tt.send)
				time.Sleep(100 * time.Millisecond)
				p.hearBare(tt.want)
				p.wantClosed()
				for _, e := range w.events {
					if e.Op != "say" || !e.Lab || e.Remote == "" {
						t.Errorf("Received was told %+v", e)
					}
				}
			})
		})
	}
}
