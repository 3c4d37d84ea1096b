package commands

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/labnet/labnet/commands/terminal/terminaltest"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// hostile is what could begin a line of its own, or have a terminal do something,
// or show otherwise than it is.
const hostile = "a\nb\r\n{\"level\":\"info\"} \x1b[31mred\x1b]0;title\a \u202eleft\u2066\u2028\u2029\u0085\u009b1A \u200b\ufeff\u00ad \x7f\b\t\\\"'%s\U000e0041 end"

// TestHostileLog has peers that say what they should not, wherever they can: one
// event is one line, and a line is only what shows.
func TestHostileLog(t *testing.T) {
	request := func(word string, pairs ...string) string { return reply(word, pairs...) }
	tests := []struct {
		name, says string
		line       string // a word of it
	}{
		{"a text", string(wire.AppendString(nil, hostile)), "say"},
		{"a raw text", "raw " + hostile, "say"},
		{"a name", request(hostile, "size", "1"), "refused"},
		{"the name of a folder", request(hostile+"/", "size", "1"), "refused"},
		{"a reserved word", request("HELLO", hostile, hostile), "refused"},
		{"a digest", request("f", "digest", hostile), "refused"},
		{"a size", request("f", "size", hostile), "connection ended early"},
		{"a file that is not finished", request("f", "id", hostile, "size", "9") + "\x02\x03x", "upload not finished"},
		{"END", request("f") + request("END", "size", hostile, "crc64nvme", hostile), "connection ended early"},
		{"not UTF-8", "\x01\x02\x00\xff\n", "connection ended early"},
		{"no type", "\n" + hostile, "connection ended early"},
		{"a name in the lab dialect", "\x01hi " + hostile, "say"},
	}
	for _, terminal := range []bool{false, true} {
		t.Setenv("NO_COLOR", "1")
		for _, tt := range tests {
			name := tt.name + ", JSON"
			if terminal {
				name = tt.name + ", for people"
			}
			t.Run(name, func(t *testing.T) {
				var log terminaltest.Buffer
				l := serveDir(t, &wire.Server{Log: logTo(&log, terminal)}, dir.Options{})
				nc, err := net.Dial("tcp", l.Addr().String())
				must(t, err)
				defer nc.Close()
				_, err = io.WriteString(nc, tt.says)
				must(t, err)
				must(t, nc.(*net.TCPConn).CloseWrite())
				nc.SetReadDeadline(time.Now().Add(10 * time.Second))
				_, err = io.ReadAll(nc)
				must(t, err)

				got := log.String()
				if !strings.Contains(got, tt.line) {
					t.Errorf("%q is missing in %q", tt.line, got)
				}
				for line := range strings.Lines(got) {
					checkLine(t, line, terminal)
				}
			})
		}
	}
}

// checkLine checks that a line of the log is one, and shows all that it holds.
func checkLine(t *testing.T, line string, terminal bool) {
	t.Helper()
	text, whole := strings.CutSuffix(line, "\n")
	if !whole || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("a line holds what does not show: %q", line)
	}
	if terminal {
		if _, err := time.Parse(time.TimeOnly, text[:min(8, len(text))]); err != nil {
			t.Errorf("a line that a peer began: %q", line)
		}
		return
	}
	var entry map[string]any
	if err := json.Unmarshal([]byte(text), &entry); err != nil {
		t.Errorf("%v: %q", err, line)
	}
	if said, ok := entry["text"].(string); ok && !strings.Contains(said, hostile[:30]) {
		t.Errorf("a text was logged as %q", said)
	}
}
