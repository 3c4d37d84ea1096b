package commands_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/labnet/labnet/commands/check"
)

// startExplaining starts a server of a task, and returns its address and a function
// that returns what it explains of the next connection.
func startExplaining(t *testing.T, task string) (addr string, next func(*testing.T) check.Explanation) {
	t.Helper()
	addr, lines := startServe(t, "--lab", task, "--explain", "--json", "--store", t.TempDir())
	return addr, func(t *testing.T) (x check.Explanation) {
		t.Helper()
		for x.Op != "connection" { // receipts come, too
			if err := json.Unmarshal([]byte(nextLine(t, lines)), &x); err != nil {
				t.Fatal(err)
			}
		}
		return x
	}
}

// TestExplain: what clients do, and how they end, over real connections.
func TestExplain(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("systems differ in what they tell of a connection's end")
	}
	for _, test := range []struct {
		name, task string
		steps      []string // to send, or one of these words
		sent, kept string
		end, why   string
	}{
		{"a ping", "1", []string{"END"}, "", "", "the client closed", ""},
		{"a text, and its answer", "3", []string{"hello", "ANSWER"}, `"hello"`, `the text "hello"`, "the client read the answer and closed", ""},
		{"an answer not read", "3", []string{"hello", "WAIT"}, `"hello"`, `the text "hello"`, "a reset: the client closed and did not read the answer", ""},
		{"gone before the answer", "3", []string{"hello"}, `"hello"`, `the text "hello"`, "the client had closed before the answer came", ""},
		{"half closed", "3", []string{"hello", "END", "ANSWER"}, `"hello"`, `the text "hello"`, "the client ended its side before the answer, and may have read it", ""},
		{"too long a text", "3", []string{strings.Repeat("å", 2049), "ANSWER"}, `"` + strings.Repeat("å", 30) + `" …, 4,098 bytes`,
			`the text "` + strings.Repeat("å", 30) + `" …, 4,096 bytes`, "", "more than 4096 bytes"},
		{"a type that is a character", "4", []string{"1hello", "END"}, `"1hello"`, "", "the client closed", "the character '1'"},
		{"random bytes", "4", []string{"\x02\xff\x00", "END"}, "02, 2 bytes", "*.bin, 2 bytes", "the client closed", ""},
		{"a size that labnet does not try", "5", []string{"\x02\x03\x00abc", "END"}, "02 03 00, 3 bytes", "", "the client closed", "--size-bytes 2"},
		{"no size", "5", []string{"\x02" + strings.Repeat("\xff", 300), "END"}, "02 ff ff ff ff ff ff ff ff ff …, 301 bytes", "", "the client closed", "type 2 says a size of 255 bytes, and 299 bytes came"},
		{"a file", "6", []string{"\x01f", "ANSWER", "\x02\x03abc", "END"}, `01 "f" | 02 03, 3 bytes`, "f, 3 bytes", "the client read the answer and closed", ""},
		{"contents before the answer", "6", []string{"\x01f\x02\x03abc", "END", "ANSWER"}, `01 "f" | 02 03, 3 bytes`, "f, 3 bytes", "", "contents before the answer"},
		{"dead within contents", "6", []string{"\x01f", "ANSWER", "\x02\x03ab", "RESET"}, `01 "f" | 02 03 61 62`, "", "a reset: the client did not close in order, or died", "2 bytes came"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			addr, next := startExplaining(t, test.task)
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			tcp := conn.(*net.TCPConn)
			for _, step := range test.steps {
				switch step {
				case "END":
					tcp.CloseWrite()
				case "RESET":
					tcp.SetLinger(0)
				case "ANSWER":
					if _, err := tcp.Read(make([]byte, 8<<10)); err != nil {
						t.Fatal(err)
					}
				case "WAIT": // for an answer that stays unread
					awaitReadable(t, tcp)
				default:
					tcp.Write([]byte(step))
				}
			}
			tcp.Close()
			x := next(t)
			if got := strings.Join(x.Sent, " | "); got != test.sent {
				t.Errorf("sent %s, want %s", got, test.sent)
			}
			kept := strings.Join(x.Kept, " | ")
			if random, ok := strings.CutPrefix(test.kept, "*"); ok {
				kept = "*" + kept[strings.Index(kept, "."):]
				test.kept = "*" + random
			}
			if kept != test.kept {
				t.Errorf("kept %s, want %s", kept, test.kept)
			}
			if test.end != "" && x.End != test.end {
				t.Errorf("end %s, want %s", x.End, test.end)
			}
			if why := strings.Join(x.Why, "\n"); !strings.Contains(why, test.why) || test.why == "" && why != "" {
				t.Errorf("why %s, want %s", why, test.why)
			}
		})
	}
}

// awaitReadable waits until something has come that can be read.
func awaitReadable(t *testing.T, tcp *net.TCPConn) {
	t.Helper()
	raw, err := tcp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	first := true
	raw.Read(func(uintptr) bool { // called again once there is something
		first = !first
		return first
	})
}

// TestExplainExamples: there is nothing to repair in the example clients, and in those
// with mistakes of students there is.
func TestExplainExamples(t *testing.T) {
	python := findPython(t)
	file := filepath.Join(t.TempDir(), "report.pdf")
	if err := os.WriteFile(file, []byte(strings.Repeat("\xff\x00\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		task         string
		args         []string
		old, student string
		why          string
	}{
		{task: "3", args: []string{"blåbær"}},
		{"3", []string{"blåbær"}, "args.text.encode()", `args.text.encode("latin-1")`, "not UTF-8"},
		{task: "4", args: []string{"random", "1000"}},
		{"4", []string{"text", "hello"}, `kind, body = b"\x01"`, `kind, body = b"1"`, "the character '1'"},
		{task: "5", args: []string{"3000"}},
		{"5", []string{"3000"}, "        connection.send(size)\n", "", "no size was sent"},
		{"5", []string{"3000"}, "sys.byteorder", `"big"`, "big-endian"},
		{task: "6", args: []string{file}},
		{"6", []string{file}, "os.path.basename(path)", "path", "basename"},
		{task: "extra", args: []string{file, file}},
	} {
		t.Run(strings.Join([]string{test.task, test.why}, " "), func(t *testing.T) {
			t.Parallel()
			source := string(readFile(t, exampleClient(t, test.task)))
			if !strings.Contains(source, test.old) {
				t.Fatalf("the example has no %q", test.old)
			}
			program := filepath.Join(t.TempDir(), "client.py")
			if err := os.WriteFile(program, []byte(strings.ReplaceAll(source, test.old, test.student)), 0o600); err != nil {
				t.Fatal(err)
			}
			addr, next := startExplaining(t, test.task)
			testCommand(t, python, slices.Concat([]string{program}, hostPort(t, addr), test.args)...).Run() // a broken one may fail
			x := next(t)
			if why := strings.Join(x.Why, "\n"); !strings.Contains(why, test.why) || test.why == "" && why != "" {
				t.Errorf("why %q, want %q", why, test.why)
			}
			if test.why == "" && (len(x.Kept) == 0 || x.Bytes == 0 || x.Task != test.task || !strings.HasPrefix(x.Remote, "127.0.0.1:") || x.Seconds <= 0) {
				t.Errorf("%+v", x)
			}
		})
	}
}
