package commands_test

import (
	"bytes"
	"os/exec"
	ossignal "os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	up, left = "\x1b[A", "\x1b[D"
	ctrlA    = "\x01"
	ctrlC    = "\x03"
	ctrlD    = "\x04"
	ctrlE    = "\x05"
	ctrlU    = "\x15"
	ctrlW    = "\x17"
	ctrlZ    = "\x1a"
)

// TestPrompts types at each command that asks, in the ways of a shell, until
// Ctrl-D. The terminal is as before then.
func TestPrompts(t *testing.T) {
	tests := []struct {
		name, question string
		steps          []string // each after the question
		want           []string // beginnings of the results
	}{
		{"say", "message: ", []string{
			"hello wrld" + left + left + left + "o" + ctrlA + "X " + ctrlE + "!\r",
			up + "\x7f?\r",
			"never" + ctrlU + "one two" + ctrlW + "three\r",
			"\r", // is not sent
			up + up + "\r",
			"a\tb\r", // of a paste
		}, []string{
			"Message: X hello world!", "Message: X hello world?", "Message: one three",
			"Message: X hello world?", "Message: a\tb",
		}},
		{"upload", "file: ", []string{
			"a\t\r", "fo\tin\t\r", up + up + "\r", "missing" + ctrlU + "re" + ctrlE + "\t\r",
			"'a file.txt' \r", "./r?port.t*\r", `folder/i\nner` + "\r", "~/report.txt \"a f\t\r", " \r",
		}, []string{
			"a file.txt  ", "folder/inner  ", "a file.txt  0 B  ", "report.txt  ",
			"a file.txt  ", "report.txt  ", "folder/inner  ", "/", "a file.txt  ",
		}},
		{"blob", "1 text, 2 random bytes: ", []string{
			"11" + left + "\x7f\rhelo" + left + "l\r", "3" + ctrlU + "2\r", "1\r" + up + up + up + "\r",
		}, []string{
			"Message: hello", "", "Message: hello",
		}},
		{"ping", "Ctrl-D to end\r\n", []string{
			"\r", "x" + ctrlU + "\r",
		}, []string{
			"reply from ", "reply from ", "2 sent, 2 replies",
		}},
	}
	addr, _ := startServe(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, _ := filesToComplete(t)
			cmd := labnetCommand(t, test.name, "-a", addr)
			cmd.Dir = dir
			cmd.Env = append(cmd.Env, "HOME="+dir)
			results := new(bytes.Buffer)
			cmd.Stdout = results
			p := sitDown(t, cmd)
			p.awaits(t, test.question)
			for _, keys := range test.steps {
				p.types(t, keys)
				if test.name == "ping" {
					p.awaits(t, "\r\n")
				} else {
					p.awaits(t, "\n"+test.question)
				}
			}
			p.types(t, ctrlD)
			screen := p.ends(t, cmd)
			if diff := cmp.Diff(p.before, p.after); diff != "" {
				t.Errorf("the terminal is not as before (-before +after):\n%s", diff)
			}
			lines := strings.Split(strings.TrimSuffix(results.String(), "\n"), "\n")
			for i, want := range test.want {
				if len(lines) != len(test.want) || !strings.HasPrefix(lines[i], want) {
					t.Fatalf("got %q\nwant %q\n%s", lines, test.want, screen)
				}
			}
			if !cmd.ProcessState.Success() {
				t.Error(cmd.ProcessState, screen)
			}
		})
	}
}

// TestPromptDies: at Ctrl-C and other signals, a command that asks dies of
// them, and the terminal is as before.
func TestPromptDies(t *testing.T) {
	questions := map[string]string{
		"say": "message: ", "upload": "file: ", "blob": "bytes: ", "ping": "Ctrl-D to end\r\n",
	}
	addr, _ := startServe(t)
	for name, question := range questions {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			t.Run(name+" "+signal.String(), func(t *testing.T) {
				if ossignal.Ignored(signal) {
					t.Skip("whoever runs the tests ignores the signal, as nohup does: nobody dies of it")
				}
				t.Parallel()
				cmd := labnetCommand(t, name, "-a", addr)
				results := new(bytes.Buffer)
				cmd.Stdout = results
				p := sitDown(t, cmd)
				p.awaits(t, question)
				p.types(t, "\rhalf a line"+left)
				p.awaits(t, "half a lin\x1b[?7h") // what was typed before is done, and a line is being edited
				if p.mode(t) == p.before {
					t.Error("no mode for editing")
				}
				if signal == syscall.SIGINT {
					p.types(t, ctrlC)
				} else {
					cmd.Process.Signal(signal)
				}
				screen := p.ends(t, cmd)
				if diff := cmp.Diff(p.before, p.after); diff != "" {
					t.Errorf("the terminal is not as before (-before +after):\n%s", diff)
				}
				if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != signal {
					t.Errorf("ended with %v\n%s", cmd.ProcessState, screen)
				}
				if name == "ping" && !strings.Contains(results.String(), "1 sent, 1 reply") {
					t.Errorf("no summary in %s", results)
				}
			})
		}
	}
}

// inShell returns a shell that runs a script, in which $LABNET is labnet.
func inShell(t *testing.T, addr, script string) *exec.Cmd {
	t.Helper()
	model := labnetCommand(t)
	cmd := testCommand(t, "/bin/sh", "-c", script)
	cmd.Env = append(model.Env, "LABNET="+model.Path, "LABNET_ADDR="+addr)
	return cmd
}

// TestPromptSuspended: Ctrl-Z stops the command and leaves the terminal to the
// shell as it was. Later the line goes on.
func TestPromptSuspended(t *testing.T) {
	addr, _ := startServe(t)
	cmd := inShell(t, addr, `set -m; "$LABNET" say; echo "[stopped]"; read enter; fg; echo "[ended $?]"`)
	p := sitDown(t, cmd)
	p.awaits(t, "message: ")
	p.types(t, "half")
	p.awaits(t, "half")
	p.types(t, ctrlZ)
	p.awaits(t, "[stopped]")
	if diff := cmp.Diff(p.before, p.mode(t)); diff != "" {
		t.Errorf("the terminal is not as before (-before +after):\n%s", diff)
	}
	p.types(t, "\r")
	p.awaits(t, "half") // the line, shown again
	p.types(t, " and half\r")
	p.awaits(t, "Message: half and half\r\n")
	p.types(t, ctrlD)
	p.awaits(t, "[ended 0]")
}

// TestPromptTypeAhead: what was typed before a prompt, or pasted, is taken line
// by line, and what comes after Ctrl-D is left to the next program.
func TestPromptTypeAhead(t *testing.T) {
	addr, _ := startServe(t)
	cmd := inShell(t, addr, `read first; "$LABNET" say; cat`)
	p := sitDown(t, cmd)
	p.types(t, "first\rone\rtwo\r"+ctrlD+"for cat\r")
	p.awaits(t, "Message: one\r\n")
	p.awaits(t, "Message: two\r\n")
	p.awaits(t, "for cat\r\n")
	p.types(t, ctrlD)
	if p.ends(t, cmd); !cmd.ProcessState.Success() {
		t.Error(cmd.ProcessState)
	}
}

// shows waits until the last line on the screen is as it should be, and the
// cursor in its place.
func (s *terminal) shows(t *testing.T, line string, column int) {
	t.Helper()
	for overdue := time.After(patience); ; {
		lines := s.Lines()
		row, at := s.Cursor()
		if len(lines) > 0 && row == len(lines)-1 && lines[row] == line && at == column {
			return
		}
		select {
		case <-s.changed:
		case <-overdue:
			t.Fatalf("no %q, with the cursor in column %d, but in row %d, column %d of\n%s", line, column, row, at, strings.Join(lines, "\n"))
		}
	}
}

// TestPromptKeys presses the keys that move and delete, as each kind of terminal
// sends them, in characters that are wide or of several code points.
func TestPromptKeys(t *testing.T) {
	addr, _ := startServe(t)
	cmd := labnetCommand(t, "say", "-a", addr)
	results := new(bytes.Buffer)
	cmd.Stdout = results
	s := onTerminal(t, cmd, 80)
	s.shows(t, "message:", len("message: "))
	steps := []struct {
		keys, line string
		column     int // behind the prompt
	}{
		{"日本語", "日本語", 6},
		{left, "日本語", 4},
		{left + "x", "日x本語", 3},
		{"\x7f", "日本語", 2},
		{"\x1b[3~", "日語", 2},
		{ctrlE + "🎉e\u0301z", "日語🎉e\u0301z", 8},
		{left + left, "日語🎉e\u0301z", 6},
		{"\x1b[3~", "日語🎉z", 6},
		{"\x1b[1~", "日語🎉z", 0}, // tmux, screen, Linux
		{"\x1b[4~", "日語🎉z", 7},
		{"\x1bOH", "日語🎉z", 0}, // xterm, in its application mode
		{"\x1bOF", "日語🎉z", 7},
		{"\x1b[H", "日語🎉z", 0},
		{"\x1b[F", "日語🎉z", 7},
		{"\x1b[7~", "日語🎉z", 0}, // rxvt
		{"\x1b[8~", "日語🎉z", 7},
		{" ab cd", "日語🎉z ab cd", 13},
		{"\x1b[1;5D", "日語🎉z ab cd", 11},
		{"\x1b[1;3D", "日語🎉z ab cd", 8},
		{"\x1b[1;5C", "日語🎉z ab cd", 10},
		{"\x1bb", "日語🎉z ab cd", 8},
		{"\x1bd", "日語🎉z  cd", 8},
		{"\x0b", "日語🎉z", 8}, // to the end; the screen shows no spaces there
		{"\x0b" + ctrlU, "", 0},
		{"e\u0301\U0001F468\u200D\U0001F469\u200D\U0001F467!" + left, "e\u0301\U0001F468\u200D\U0001F469\u200D\U0001F467!", 7}, // shown in six columns here
		{"\x7f", "e\u0301!", 1},
		{"\x14", "!e\u0301", 2},
		{"\x1b[5~\x1b[15~\x1b[[A\x1bOP\x1b\x1b[Z", "!e\u0301", 2}, // without a function
		{"\u0085\xffa", "!e\u0301\uFFFDa", 4},
		{"\x7f\x7f", "!e\u0301", 2},
	}
	const prompt = "message: "
	for _, step := range steps {
		if _, err := s.keyboard.WriteString(step.keys); err != nil {
			t.Fatal(err)
		}
		s.shows(t, strings.TrimRight(prompt+step.line, " "), len(prompt)+step.column)
	}
	s.keyboard.WriteString("\r" + up + "?\r")
	s.keyboard.WriteString(ctrlD)
	s.end(t, cmd)
	if want := "Message: !e\u0301\nMessage: !e\u0301?\n"; results.String() != want {
		t.Errorf("got %q, want %q", results, want)
	}
}

// TestPromptRows: a line that is longer than the terminal is wide is edited in
// rows, also where a wide character does not fit into the last column, and after
// the width has changed.
func TestPromptRows(t *testing.T) {
	addr, _ := startServe(t)
	cmd := labnetCommand(t, "say", "-a", addr)
	results := new(bytes.Buffer)
	cmd.Stdout = results
	s := onTerminal(t, cmd, 20)
	s.shows(t, "message:", len("message: "))
	type screen struct {
		Lines       []string
		Row, Column int
	}
	first := 0
	steps := []struct {
		keys  string
		width int
		want  screen
	}{
		{"日日日日日", 20, screen{[]string{"message: 日日日日日"}, 0, 19}},
		{"本", 20, screen{[]string{"message: 日日日日日", "本"}, 1, 2}},
		{"\x1b[1~x", 20, screen{[]string{"message: x日日日日日", "本"}, 0, 10}},
		{"\x1b[4~\x7f", 20, screen{[]string{"message: x日日日日日"}, 1, 0}}, // behind a full row
		{"0123456789012345678901234", 20, screen{[]string{"message: x日日日日日", "01234567890123456789", "01234"}, 2, 5}},
		{left, 50, screen{[]string{"message: x日日日日日0123456789012345678901234"}, 0, 44}},
		{left, 10, screen{[]string{"message: x", "日日日日日", "0123456789", "0123456789", "01234"}, 4, 3}},
		{"\x1b[1~", 20, screen{[]string{"message: x日日日日日", "01234567890123456789", "01234"}, 0, 9}},
		{"\r" + up + "!", 20, screen{[]string{"message: x日日日日日", "01234567890123456789", "01234!"}, 2, 6}},
		{ctrlU, 20, screen{[]string{"message:"}, 0, 9}},
	}
	for _, step := range steps {
		s.resize(t, step.width)
		if _, err := s.keyboard.WriteString(step.keys); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(step.keys, "\r") {
			first += len(step.want.Lines) // the line before stays
		}
		for overdue := time.After(patience); ; {
			lines := s.Lines()
			row, column := s.Cursor()
			diff := cmp.Diff(step.want, screen{lines[min(first, len(lines)):], row - first, column})
			if diff == "" {
				break
			}
			select {
			case <-s.changed:
			case <-overdue:
				t.Fatalf("after %q (-want +got):\n%s", step.keys, diff)
			}
		}
	}
	s.keyboard.WriteString(ctrlD)
	s.end(t, cmd)
	if want := "Message: x日日日日日0123456789012345678901234\n"; results.String() != want {
		t.Errorf("got %q, want %q", results, want)
	}
}
