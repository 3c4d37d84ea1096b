//go:build linux

package commands_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/check"
)

// listening begins the hostile programs that are servers: listener is bound to the port.
const listening = `
import os, signal, socket, sys, threading, time
HOST, PORT = "127.0.0.1", int(sys.argv[1])
listener = socket.create_server((HOST, PORT))
`

// connecting begins those that are clients.
const connecting = `
import os, signal, socket, sys, threading, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
`

// daemons leave processes behind, in sessions of their own, which keep what they
// have inherited and ignore signals.
const daemons = `
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
`

// hostile are programs that do what no student means to, and what is to be reported.
var hostile = []struct {
	name, task string
	client     bool
	program    string
	only       string
	code       int
	id         string // of a case
	verdict    check.Verdict
	saw        string // in what was seen of it, or why, or on standard error
}{
	{name: "escape sequences", task: "3", code: 1, id: "3.answer", verdict: check.Fail, saw: `\x1b]0;owned\a`, program: listening + `
print("\x1b[2J\x1b]0;owned\x07", flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"\x1b]0;owned\x07\x9b2J\r")
    connection.close()
`},
	{name: "escape sequences in a traceback", task: "4", only: "4.bytes", code: 1, id: "4.bytes", verdict: check.Fail, saw: `\x1b[2Jowned (server.py, line`, program: listening + `
while True:
    connection, _ = listener.accept()
    if connection.recv(1):
        raise ValueError("\x1b[2Jowned")
`},
	{name: "escape sequences in names", task: "4", only: "4.bytes", code: 1, id: "4.bytes", verdict: check.Fail, saw: `\x1b[2Jowned`, program: listening + `
while True:
    connection, _ = listener.accept()
    if connection.recv(1):
        open("\x1b[2Jowned\nlabnet", "wb").write(b"x")
    connection.close()
`},
	{name: "never an answer", task: "3", code: 1, id: "3.answer", verdict: check.Fail, saw: "no answer", program: listening + `
connections = []
while True:
    connections.append(listener.accept())
`},
	{name: "a flood of answers", task: "3", code: 1, id: "3.answer", verdict: check.Fail, saw: "it answered", program: listening + `
def flood(connection):
    try:
        while True:
            connection.sendall(b"z" * 65536)
    except OSError:
        pass
while True:
    connection, _ = listener.accept()
    threading.Thread(target=flood, args=(connection,), daemon=True).start()
`},
	{name: "a flood of lines", task: "1", code: 0, id: "1.close", verdict: check.Pass, program: listening + `
def shout():
    while True:
        print("y" * 65536, flush=True)
threading.Thread(target=shout, daemon=True).start()
while True:
    listener.accept()[0].close()
`},
	{name: "daemons", task: "1", code: 0, id: "1.close", verdict: check.Pass, program: listening + daemons + `
while True:
    listener.accept()[0].close()
`},
	{name: "daemons of one that dies", task: "3", code: 1, id: "3.answer", verdict: check.Fail, saw: "ended", program: listening + daemons + `
while True:
    connection, _ = listener.accept()
    if connection.recv(1):
        os._exit(1)
`},
	{name: "dies at once", task: "5", code: 3, saw: "no connection was accepted: the command ended", program: "raise SystemExit(1)"},
	{name: "no traceback", task: "5", code: 3, saw: `the command ended: \x1b[2Jno such file`, program: `raise SystemExit("\x1b[2Jno such file")`},
	{name: "dies of a mistake", task: "5", code: 3, saw: "ZeroDivisionError: division by zero (server.py, line 1)", program: "1 / 0"},
	{name: "dies of each client", task: "1", code: 1, id: "1.again", verdict: check.Fail, saw: "the server ended", program: listening + `
listener.accept()[0].close() # that of labnet, which waits for the port
listener.accept()[0].close() # 1.close
listener.accept()[0].close()
`},
	{name: "writes above its folder", task: "6", only: "6.up", code: 1, id: "6.up", verdict: check.Fail, saw: "../labnet-check-up was written", program: listening + `
def serve(connection):
    name = connection.recv(4096)[1:].decode()
    connection.sendall(b"OK")
    header = connection.recv(1)
    size = int.from_bytes(connection.recv(header[0] - 1), "little")
    open(name, "wb").write(connection.recv(size, socket.MSG_WAITALL))
    connection.close()
while True:
    try:
        serve(listener.accept()[0])
    except Exception as error:
        print(error)
`},
	{name: "listens late", task: "1", code: 0, id: "1.close", verdict: check.Pass, program: "import time\ntime.sleep(2)\n" + listening + `
while True:
    listener.accept()[0].close()
`},
	{name: "ignores what it is told", task: "1", code: 0, id: "1.close", verdict: check.Pass, program: listening + `
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
while True:
    listener.accept()[0].close()
`},

	{name: "escape sequences of a client", task: "3", client: true, only: "c3.text", code: 1, id: "c3.text", verdict: check.Fail, saw: `\x1b[2Jowned (client.py`, program: connecting + `
print("\x1b[2J\x1b]0;owned\x07", flush=True)
connection.sendall(b"\x1b]0;owned\x07")
raise ValueError("\x1b[2Jowned")
`},
	{name: "a client that says nothing", task: "4", client: true, only: "c4.type", code: 1, id: "c4.type", verdict: check.Fail, saw: "nothing", program: connecting + `
time.sleep(600)
`},
	{name: "a flood of a client", task: "6", client: true, only: "c6.bytes,c6.wait", code: 1, id: "c6.wait", verdict: check.Fail, program: connecting + `
while True:
    connection.sendall(b"z" * 65536)
`},
	{name: "a flood of connections", task: "3", client: true, only: "c3.text", code: 1, id: "c3.text", verdict: check.Fail, program: connecting + `
connections = []
while True:
    try:
        connections.append(socket.create_connection((sys.argv[1], int(sys.argv[2]))))
        connections[:-100] = []
    except OSError:
        pass
`},
	{name: "daemons of a client", task: "1", client: true, code: 0, id: "c1", verdict: check.Pass, program: connecting + daemons},
	{name: "a client that dies at once", task: "5", client: true, only: "c5.1", code: 1, id: "c5.1", verdict: check.Fail, saw: "ZeroDivisionError: division by zero (client.py, line 1)", program: "1 / 0"},
	{name: "a client that connects late", task: "1", client: true, code: 0, id: "c1", verdict: check.Pass, program: "import time\ntime.sleep(2)\n" + connecting},
}

// TestCheckHostile: whatever a program does, its report is right and cannot harm a
// terminal, check ends in time, and nothing runs on or is left.
func TestCheckHostile(t *testing.T) {
	t.Parallel()
	all := group{t: t}
	defer all.runs.Wait()
	python := findPython(t)
	for i, test := range hostile {
		all.run(test.name, func(t *testing.T) {
			dir, temp, token := t.TempDir(), t.TempDir(), fmt.Sprintf("HOSTILE_PROGRAM=%d-%d", os.Getpid(), i)
			program := filepath.Join(dir, map[bool]string{false: "server.py", true: "client.py"}[test.client])
			if err := os.WriteFile(program, []byte(test.program), 0o600); err != nil {
				t.Fatal(err)
			}
			formats := []string{"--json"}
			if strings.Contains(test.saw, `\x1b`) {
				formats = append(formats, "--tap")
			}
			for _, format := range formats {
				addr, port := freeAddress(t)
				args := []string{"--lab", test.task, "--timeout", "1s", addr, "--", python, program, port}
				if test.client {
					args = []string{"--client", "--lab", test.task, "--timeout", "1s", "-l", "127.0.0.1:0", "--", python, program, "{host}", "{port}"}
				}
				if test.only != "" {
					args = slices.Insert(args, 0, "--only", test.only)
				}
				junit := filepath.Join(dir, "report.xml")
				cmd := labnetCommand(t, slices.Concat([]string{"check", format, "--junit", junit}, args)...)
				cmd.Env = append(cmd.Env, token, "TMPDIR="+temp)
				var out, errs bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &errs
				begun := time.Now()
				err := cmd.Run()
				if took := time.Since(begun); took > time.Minute {
					t.Errorf("it took %v", took)
				}
				if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() != test.code || !ok && test.code != 0 {
					t.Errorf("%v, want exit %d: %s%s", err, test.code, out.String(), errs.String())
				}
				if format == "--json" {
					wantCase(t, out.Bytes(), errs.String(), test.id, test.verdict, test.saw)
				}
				for _, text := range [][]byte{out.Bytes(), errs.Bytes(), readFile(t, junit)} {
					if i := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7F && r < 0xA0 }); i >= 0 {
						t.Errorf("a control character: %q", text[max(0, i-40):min(len(text), i+40)])
					}
				}
				if left := processesWith(t, token); len(left) > 0 {
					t.Errorf("processes that run on: %v", left)
				}
				if entries, err := os.ReadDir(temp); err != nil || len(entries) > 0 {
					t.Errorf("left behind: %v, %v", entries, err)
				}
			}
		})
	}
}

// wantCase checks the verdict of a case, and what was seen of it.
func wantCase(t *testing.T, out []byte, errs, id string, verdict check.Verdict, saw string) {
	t.Helper()
	seen := errs
	if id != "" {
		results := decodeResults(t, out)
		i := slices.IndexFunc(results, func(r check.Result) bool { return r.ID == id })
		if i < 0 {
			t.Errorf("no %s in %s", id, out)
			return
		}
		if results[i].Verdict != verdict {
			t.Errorf("%+v, want %s", results[i], verdict)
		}
		seen = results[i].Saw + results[i].Why
	}
	if !strings.Contains(seen, saw) {
		t.Errorf("saw %s, want %s", seen, saw)
	}
}

// processesWith returns the processes that have something in their environment.
func processesWith(t *testing.T, variable string) (pids []string) {
	t.Helper()
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil || len(environs) == 0 {
		t.Fatal(environs, err)
	}
	for _, environ := range environs {
		if b, err := os.ReadFile(environ); err == nil && slices.Contains(strings.Split(string(b), "\x00"), variable) {
			pids = append(pids, filepath.Base(filepath.Dir(environ)))
		}
	}
	return pids
}

// TestCheckInterrupted: Ctrl-C ends the program, too, and what it started; so does the end
// of the terminal.
func TestCheckInterrupted(t *testing.T) {
	t.Parallel()
	python := findPython(t)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			interruptCheck(t, python, s)
		})
	}
}

func interruptCheck(t *testing.T, python string, s syscall.Signal) {
	token, program := fmt.Sprintf("HOSTILE_PROGRAM=%d-interrupted-%d", os.Getpid(), s), filepath.Join(t.TempDir(), "server.py")
	if err := os.WriteFile(program, []byte(listening+daemons+"\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nconnections = []\nwhile True:\n    connections.append(listener.accept())\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, port := freeAddress(t)
	cmd := labnetCommand(t, "check", "--lab", "3", "--timeout", "1m", addr, "--", python, program, port)
	cmd.Env = append(cmd.Env, token)
	lines := start(t, cmd)
	if line := nextLine(t, lines); !strings.HasPrefix(line, "Task 3 at ") {
		t.Errorf("printed %q", line)
	}
	if first := nextLine(t, lines); !strings.Contains(first, "1.again") {
		t.Fatalf("printed %q", first)
	}
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	for range lines { // until it ends
	}
	if left := processesWith(t, token); len(left) > 0 {
		t.Errorf("processes that run on: %v", left)
	}
}
