package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

func TestLabConversations(t *testing.T) {
	for _, c := range labConversations {
		t.Run(c.name, c.run)
	}
}

// TestLabByteByByte sends each conversation byte by byte, every time later than the last
// by less than the silence that ends a text.
func TestLabByteByByte(t *testing.T) {
	for _, c := range labConversations {
		if c.name == "name, then Data, twice" {
			continue // it needs the silence
		}
		t.Run(c.name, func(t *testing.T) {
			serve(t, nil, func(w *world) {
				p := w.dial()
				for i := range c.steps[0].send {
					p.send(c.steps[0].send[i : i+1])
					time.Sleep(99 * time.Millisecond)
				}
				time.Sleep(time.Second)
				p.hearBare(strings.Join(c.steps[0].hear, ""))
				w.store.wantFiles(t, c.files)
				w.wantDid(c.did...)
				p.Close()
			})
		})
	}
}

// TestLabTexts has what may stand in a text, and what ends it.
func TestLabTexts(t *testing.T) {
	long := strings.Repeat("x", 4094)
	big := strings.Repeat("y", 300)
	tests := []conversation{
		{name: "a tab", steps: []step{{"\x01ab\tb", hear("OK")}}, did: []string{"say ab\tb"}},
		{name: "tabs at the end", steps: []step{{"\x01abc\t\t", hear("OK")}}, did: []string{"say abc\t\t"}},
		{name: "a tab before much text", steps: []step{{"\x01ab\tbcdefghijklm", hear("OK")}}, did: []string{"say ab\tbcdefghijklm"}},
		{name: "a tab, then type 9", steps: []step{{"\x01ab\tbcdefgh" + data(9, big), hear("OK")}},
			did: []string{"say ab\tbcdefgh", "upload ab\tbcdefgh"}, files: map[string]string{"ab\tbcdefgh": big}},
		{name: "lines", steps: []step{{"\x01one\ntwo\r\n", hear("OK")}}, did: []string{"say one\ntwo\r\n"}},
		{name: "text after text", steps: []step{{"\x01one\x01two", hear("OKOK")}, {"\x01three", hear("OK")}},
			did: []string{"say one", "say two", "say three"}},
		{name: "Data only", steps: []step{{"\x01hi", hear("OK")}, {data(3, big), nil}, {"\x01bye", hear("OK")}, {data(4, ""), nil}},
			did: []string{"say hi", "upload hi", "say bye", "upload bye"}, files: map[string]string{"hi": big, "bye": ""}},
		{name: "4096 bytes", steps: []step{{"\x01" + long + "ab" + "\x01hi", hear("OKOK")}}, did: []string{"say " + long + "ab", "say hi"}},
		{name: "a character cut at 4096", steps: []step{{"\x01" + long + "a" + "ż", hear("OKERROR: unknown message type 0xbc: types are 1 for text and 2 to 9 for bytes")}},
			did: []string{"say " + long + "a"}, ends: true},
		{name: "not UTF-8", steps: []step{{"\x01caf\xe9 noir", hear("ERROR: text is not valid UTF-8")}}, ends: true},
		{name: "no type", steps: []step{{"\x01ab", hear("OK")}, {"cd", hear("ERROR: unknown message type 0x63: this is the character 'c': a type has to stand first")}}, did: []string{"say ab"}, ends: true},
	}
	for _, c := range tests {
		c.lab = true
		t.Run(c.name, c.run)
	}
}

func TestLabRefusals(t *testing.T) {
	bad := refuses(func(a wire.Announcement) error {
		if a.Name != "good" {
			return &wire.Error{Code: wire.CodeName, Text: "bad name"}
		}
		return nil
	})
	tests := []conversation{
		{name: "name", adapt: bad, steps: []step{{"\x01../etc", hear("OK")}, {data(2, "x"), hear("ERROR: bad name")}},
			did: []string{"say ../etc"}},
		{name: "fault of the store", adapt: refuses(func(wire.Announcement) error { return errors.New("secret") }),
			steps: []step{{"\x01file" + data(2, "x"), hear("OKERROR: the server failed; its log says why")}}, did: []string{"say file"}},
		{name: "too large", adapt: limit(3), steps: []step{{"\x01file" + data(2, "1234"), hear("OKERROR: type 2 says a size of 4 bytes, and this server accepts at most 3 bytes")}},
			did: []string{"say file"}},
		{name: "full", adapt: fullAfter(3), steps: []step{{"\x01full" + data(2, "1234"), hear("OKERROR: the disk is full")}},
			did: []string{"say full"}},
		{name: "commit", adapt: failCommit(&wire.Error{Code: wire.CodeReadOnly, Text: "no more"}),
			steps: []step{{"\x01file" + data(2, "1234"), hear("OKERROR: no more")}}, did: []string{"say file"}},
	}
	for _, c := range tests {
		c.lab, c.ends = true, true
		t.Run(c.name, c.run)
	}
}

func task(l wire.Lab) func(*world) { return func(w *world) { w.server.Lab = l } }

// TestLabTasks has servers that speak one task.
func TestLabTasks(t *testing.T) {
	tests := []struct {
		name  string
		task  wire.Lab
		send  []string // with silences between
		end   bool     // the client ends its stream
		want  string
		files map[string]string
		did   []string
		open  bool
	}{
		{name: "1 closes", task: wire.Lab1, did: []string{"ping"}},
		{name: "2 closes", task: wire.Lab2, did: []string{"ping"}},
		{name: "3 answers a text", task: wire.Lab3, send: []string{"hi"}, want: "Message: hi", did: []string{"say hi"}},
		{name: "3 takes any bytes for text", task: wire.Lab3, send: []string{"\x02\x00"}, want: "Message: \x02\x00", did: []string{"say \x02\x00"}},
		{name: "3 answers a text that ends", task: wire.Lab3, send: []string{"hi"}, end: true, want: "Message: hi", did: []string{"say hi"}},
		{name: "4 notes a text", task: wire.Lab4, send: []string{"\x01hi"}, end: true, did: []string{"say hi"}},
		{name: "4 takes everything", task: wire.Lab4, send: []string{"\x02one", "\x01two"}, end: true,
			files: map[string]string{"#1": "one\x01two"}, did: []string{"blob #1"}},
		{name: "4 knows no size", task: wire.Lab4, send: []string{"\x03\x01\x00x"}},
		{name: "5 takes a blob", task: wire.Lab5, send: []string{data(5, "one"), data(2, "two")}, end: true,
			files: map[string]string{"#1": "one", "#2": "two"}, did: []string{"blob #1", "blob #2"}},
		{name: "5 takes no part of a blob", task: wire.Lab5, send: []string{header(2, 4) + "one"}, end: true},
		{name: "5 takes no text for a name", task: wire.Lab5, send: []string{"\x01hi", data(2, "x")}, end: true,
			files: map[string]string{"#1": "x"}, did: []string{"say hi", "blob #1"}},
		{name: "6 takes one file", task: wire.Lab6, send: []string{"\x01f", data(2, "x")}, want: "OK",
			files: map[string]string{"f": "x"}, did: []string{"upload f"}},
		{name: "6 of a name like a String's header", task: wire.Lab6, send: []string{"\x01 ", data(2, "x")}, want: "OK",
			files: map[string]string{" ": "x"}, did: []string{"upload  "}},
		{name: "6 keeps no name alone", task: wire.Lab6, send: []string{"\x01f"}, end: true, want: "OK"},
		{name: "6 keeps no part", task: wire.Lab6, send: []string{"\x01f", header(2, 4) + "one"}, end: true, want: "OKERROR: type 2 says a size of 4 bytes, and 3 came"},
		{name: "6 keeps nothing of an absurd size", task: wire.Lab6, send: []string{"\x01f", "\x07\x00\xb8\x64\x1d\x00\x00one"}, end: true,
			want: "OKERROR: type 7 says a size of 493139968 bytes, and 3 came"},
		{name: "6 says what is due behind a name", task: wire.Lab6, send: []string{"\x01f", "\xfe\x00"},
			want: "OKERROR: unknown message type 0xfe: types are 1 for text and 2 to 9 for bytes; behind a name comes a type of 2 to 9, and the size"},
		{name: "6 takes the first of two", task: wire.Lab6, send: []string{"\x01f", data(2, "x") + "\x01g"}, want: "OK",
			files: map[string]string{"f": "x"}, did: []string{"upload f"}},
		{name: "6 takes a corrected name", task: wire.Lab6, send: []string{"\x01f", "\x01g", data(2, "x")}, want: "OKOK",
			files: map[string]string{"g": "x"}, did: []string{"upload g"}},
		{name: "extra takes several", task: wire.LabExtra, send: []string{"\x01f", data(2, "x"), "\x01g", data(9, "y")}, want: "OKOK",
			files: map[string]string{"f": "x", "g": "y"}, did: []string{"upload f", "upload g"}, open: true},
		{name: "extra, joined", task: wire.LabExtra, send: []string{"\x01f" + data(2, "x") + "\x01g" + data(9, "y")}, end: true, want: "OKOK",
			files: map[string]string{"f": "x", "g": "y"}, did: []string{"upload f", "upload g"}},
		{name: "6 refuses what is no type", task: wire.Lab6, send: []string{"GET /"}, want: "ERROR: unknown message type 0x47: this is the character 'G': a type has to stand first"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, task(tt.task), func(w *world) {
				p := w.dial()
				for _, s := range tt.send {
					p.send(s)
					time.Sleep(200 * time.Millisecond)
				}
				if tt.end {
					must(t, p.CloseWrite())
				}
				p.hearBare(tt.want)
				if tt.open {
					p.wantOpen()
					p.Close()
				} else {
					p.wantClosed()
				}
				synctest.Wait()
				w.store.wantFiles(t, tt.files)
				w.wantDid(tt.did...)
				for _, e := range w.events {
					if !e.Lab {
						t.Errorf("%+v is not said to be of the lab dialect", e)
					}
				}
			})
		})
	}
}

// TestLabUnsized sends what a client of Task 4 does to a server without a task, in
// pieces too: no part of it is kept as contents with a size.
func TestLabUnsized(t *testing.T) {
	body := "\x95" + strings.Repeat("\xff\x00\x07", 2000)
	for _, pieces := range [][]int{{1 + len(body)}, {1, len(body)}, {1, 99, len(body) - 99}, {2, 149, len(body) - 150}, {101, len(body) - 100}} {
		serve(t, nil, func(w *world) {
			p, rest := w.dial(), "\x02"+body
			for _, n := range pieces {
				p.send(rest[:n])
				rest = rest[n:]
				time.Sleep(90 * time.Millisecond)
			}
			p.CloseWrite()
			p.hear("ERROR|code=protocol|")
			w.store.wantFiles(t, nil)
			p.Close()
		})
	}
}

// TestLabMore: a program that goes on when its task is done is told nothing, and the
// log says why.
func TestLabMore(t *testing.T) {
	for _, test := range []struct {
		task       wire.Lab
		first, two string
		want       string
	}{
		{wire.Lab3, "one", "two", "more came after the text and was not read: task 3 has one text for each connection"},
		{0, "one", "two", "more came after the text and was not read: task 3 has one text for each connection"},
		{wire.Lab6, "\x01f" + data(2, "x"), "\x01g", "more came after the file and was not read: task 6 has one file for each connection, and --lab extra several"},
	} {
		for _, joined := range []bool{false, true} {
			if joined && test.task != wire.Lab6 {
				continue // it is one text
			}
			var log lines
			serve(t, func(w *world) {
				w.server.Lab = test.task
				logged(&log)(w)
			}, func(w *world) {
				p := w.dial()
				if joined {
					p.send(test.first + test.two)
				} else {
					p.send(test.first)
					time.Sleep(200 * time.Millisecond)
					p.send(test.two)
				}
				time.Sleep(3 * time.Second)
				log.want(t, "was not read"+strings.SplitAfter(test.want, "was not read")[1], fmt.Sprintf("[bytes:%d message:%s]", len(test.two), test.want))
				p.Close()
			})
		}
	}
}

// TestLabTimeout has a silent client: what it is told is in its dialect.
func TestLabTimeout(t *testing.T) {
	for l, want := range map[wire.Lab]string{wire.Lab5: "", wire.Lab6: "ERROR: nothing was received for too long"} {
		serve(t, task(l), func(w *world) {
			p := w.dial()
			p.lasts(5 * time.Minute)
			p.hearBare(want)
			p.Close()
		})
	}
}

// TestLabStreamLimits has task 4, where only the end of the stream tells the
// size: a file of the limit is taken, one of a byte more is not, and neither is
// one whose last bytes the store failed to write.
func TestLabStreamLimits(t *testing.T) {
	tests := []struct {
		name  string
		adapt func(*world)
		send  string
		files map[string]string
	}{
		{"empty", limit(4), "", map[string]string{"#1": ""}},
		{"the limit", limit(4), "1234", map[string]string{"#1": "1234"}},
		{"over the limit", limit(4), "12345", nil},
		{"full", fullAfter(4), "1234", nil},
		{"full at the end", func(w *world) {
			w.store.atEnd = &wire.Error{Code: wire.CodeNoSpace, Text: "full"}
		}, "1234", nil},
		{"silent", func(w *world) { w.server.ProgressTimeout = time.Millisecond }, "1234", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, func(w *world) {
				tt.adapt(w)
				w.server.Lab = wire.Lab4
			}, func(w *world) {
				p := w.dial()
				p.send("\x02" + tt.send)
				time.Sleep(time.Second)
				p.CloseWrite()
				p.hearBare("")
				w.store.wantFiles(t, tt.files)
				p.Close()
			})
		})
	}
}

// TestStoreThatMiscounts has a store that loses bytes without a word: what was
// received is for the server to say.
func TestStoreThatMiscounts(t *testing.T) {
	lossy := func(w *world) { w.store.lose = 1 }
	tests := []struct{ name, send string }{
		{"blob", data(2, "hello")},
		{"upload", str("f|") + data(2, "hello") + end("hello")},
		{"lab file", "\x01name" + data(2, "hello")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, lossy, func(w *world) {
				p := w.dial()
				p.send(tt.send)
				time.Sleep(time.Second)
				p.heard()
				w.store.wantFiles(t, nil)
				p.Close()
			})
		})
	}
}
