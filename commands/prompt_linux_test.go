package commands_test

import (
	"bytes"
	"os/exec"
	ossignal "os/signal"
	"strings"
	"syscall"
	"testing"

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

// prompting starts a command that asks, on a terminal, with its results in a
// buffer, and returns when it has asked.
func prompting(t *testing.T, cmd *exec.Cmd, question string) (*person, *bytes.Buffer) {
	t.Helper()
	results := new(bytes.Buffer)
	cmd.Stdout = results
	p := sitDown(t, cmd)
	p.awaits(t, question)
	return p, results
}

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
			"\r",
			up + up + "\r",
			"a\tb\r", // of a paste
		}, []string{
			"Message: X hello world!", "Message: X hello world?", "Message: one three", "Message: ",
			"Message: X hello world?", "Message: a\tb",
		}},
		{"upload", "file: ", []string{
			"a\t\r", "fo\tin\t\r", up + up + "\r", "missing" + ctrlU + "re" + ctrlE + "\t\r",
		}, []string{
			"a file.txt  ", "folder/inner  ", "a file.txt  0 B  ", "report.txt  ",
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
				p.awaits(t, left) // what was typed before is done, and a line is being edited
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
	p.awaits(t, "half") // the line, shown anew
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

// TestPromptResized: a line that is longer than the terminal is wide is edited
// in place, also after the width has changed.
func TestPromptResized(t *testing.T) {
	addr, _ := startServe(t)
	cmd := labnetCommand(t, "say", "-a", addr)
	p, results := prompting(t, cmd, "message: ")
	p.types(t, "0123456789 0123456789 0123456789")
	p.awaits(t, "9 0123456789 0123456789")
	p.resize(t, 20)
	p.awaits(t, "012345678\r\r\n9") // shown anew, in three lines
	p.types(t, ctrlA+"x\r")
	p.awaits(t, "message: ")
	p.types(t, ctrlD)
	p.ends(t, cmd)
	if results.String() != "Message: x0123456789 0123456789 0123456789\n" {
		t.Errorf("got %q", results)
	}
}
