package hook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/terminal"
)

func TestSplitCommand(t *testing.T) {
	for command, want := range map[string][]string{
		"go":                          {"go"},
		"  go  version ":              {"go", "version"},
		`go 'a b' "c d" e\ f`:         {"go", "a b", "c d", "e f"},
		`go "" ''`:                    {"go", "", ""},
		`go 'a;b|c>d' "$LABNET_PATH"`: nil, // the quotes do not have it expanded either
		`go -c 'x "$LABNET_PATH"'`:    {"go", "-c", `x "$LABNET_PATH"`},
		`go 'it'\''s'`:                {"go", "it's"},
		"go #x":                       {"go", "#x"},
	} {
		got, err := SplitCommand(command)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%s: %q, %v, want %q", command, got, err, want)
		}
	}
}

// logged returns the values of a key in a log, in order.
func logValues(t *testing.T, log *bytes.Buffer, key string) (values []string) {
	t.Helper()
	for line := range bytes.Lines(log.Bytes()) {
		var entry map[string]any
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if value, ok := entry[key].(string); ok {
			values = append(values, value)
		}
	}
	return values
}

func TestLoggedOutput(t *testing.T) {
	var many []string
	for i := range maxOutputLines {
		many = append(many, fmt.Sprint(i))
	}
	long := strings.Repeat("é", maxOutputLine)
	tests := []struct {
		name   string
		writes []string
		want   []string
		more   bool
	}{
		{"nothing", nil, nil, false},
		{"a line", []string{"one\n"}, []string{"one"}, false},
		{"an empty line", []string{"\n"}, []string{""}, false},
		{"pieces", []string{"o", "ne\ntw", "o"}, []string{"one", "two"}, false},
		{"Windows", []string{"one\r\n"}, []string{"one"}, false},
		{"too long", []string{long[:10], long[10:], "\nshort\n"}, []string{long[:maxOutputLine], "short"}, false},
		{"not UTF-8", []string{"\xff\x1b[31m\n"}, []string{"\uFFFD\x1b[31m"}, false},
		{"as many as fit", []string{strings.Join(many, "\n")}, many, false},
		{"too many", []string{strings.Join(many, "\n"), "\nmore\nand more"}, many, true},
	}
	for _, test := range tests {
		var log bytes.Buffer
		l := &loggedOutput{log: zerolog.New(&log), stream: "stdout"}
		for _, w := range test.writes {
			if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%s: %d, %v", test.name, n, err)
			}
		}
		l.end()
		if got := logValues(t, &log, "stdout"); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if got := len(logValues(t, &log, "stream")) > 0; got != test.more {
			t.Errorf("%s: lines left out: %t", test.name, got)
		}
	}
}

// TestExecBounded: of receipts that wait there are not more than memory holds,
// and the log has the others.
func TestExecBounded(t *testing.T) {
	var log bytes.Buffer
	e := &Executor{Options: Options{On: []string{"upload"}}, log: zerolog.New(&log)}
	e.changed.L = &e.mu
	line := terminal.Encode(terminal.Object{Op: "upload", Name: "a"})
	e.size = maxExecWaiting - len(line)
	e.add("ping", line) // of no interest
	e.add("upload", line)
	if got := logValues(t, &log, "why"); len(e.waiting) != 1 || got != nil {
		t.Errorf("%d wait, not run: %q", len(e.waiting), got)
	}
	e.add("upload", line)
	if got := logValues(t, &log, "why"); len(e.waiting) != 1 || !slices.Equal(got, []string{"too many wait"}) {
		t.Errorf("%d wait, not run: %q", len(e.waiting), got)
	}
	e.Stop()
	e.add("upload", line)
	if got := logValues(t, &log, "why"); len(got) != 3 || got[2] != "the server stops" {
		t.Errorf("not run: %q", got)
	}
	if !bytes.Contains(log.Bytes(), []byte(`"receipt":{"op":"upload","time":"","name":"a"}`)) {
		t.Errorf("the log does not have the receipt: %s", &log)
	}
}
