//go:build unix

package hook

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// A logOf is a log that can be waited for.
type logOf struct {
	mu    sync.Mutex
	all   bytes.Buffer
	lines chan string
}

func newLogOf() *logOf { return &logOf{lines: make(chan string, 1000)} }

func (l *logOf) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.lines <- string(p) }()
	return l.all.Write(p)
}

// take returns what was logged since it was called last.
func (l *logOf) take() *bytes.Buffer {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := bytes.NewBufferString(l.all.String())
	l.all.Reset()
	return taken
}

// await waits for a line that has some words.
func (l *logOf) await(t *testing.T, words string) string {
	t.Helper()
	for overdue := time.After(30 * time.Second); ; {
		select {
		case line := <-l.lines:
			if strings.Contains(line, words) {
				return line
			}
		case <-overdue:
			t.Fatalf("no %q in the log:\n%s", words, l.take())
		}
	}
}

// shell starts an executor of a script, which ends with the test.
func shell(t *testing.T, log *logOf, script string, adapt func(*Options)) *Executor {
	o := Options{Argv: []string{"/bin/sh", "-c", script}, On: Ops, Jobs: 1, Timeout: time.Hour}
	if adapt != nil {
		adapt(&o)
	}
	e := Start(o, zerolog.New(log))
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		e.Finish(ended)
	})
	return e
}

func (e *Executor) addEvent(ev wire.Event) { e.add(ev.Op, terminal.Encode(terminal.ReceiptOf(ev))) }

// TestExecFacts: a command learns what was received, and of names nothing else
// becomes than names.
func TestExecFacts(t *testing.T) {
	t.Setenv("LABNET_TEXT", "not a fact")
	t.Setenv("LABNET_STORE", "nor this")
	t.Setenv("OTHERS", "pass")
	log := newLogOf()
	e := shell(t, log, `export LC_ALL=C; env | grep -e ^LABNET_ -e ^OTHERS= | grep -v ^LABNET_TIME= | sort; cat`, nil)
	hostile := "-rf $(touch pwned) `touch pwned`; 'a' \"b\" | c > d"
	for _, test := range []struct {
		event wire.Event
		want  []string
	}{
		{wire.Event{Op: "upload", Remote: "[2001:db8::7]:50000", Name: hostile, Path: hostile, Size: new(int64(7)), Digest: wire.Digests()[0], Sum: []byte{0, 0xff}, Took: 1500 * time.Microsecond, Resumed: 3, Unchanged: true, Compared: wire.ComparedContents, Lab: true, User: "alice"},
			[]string{"LABNET_COMPARED=contents", "LABNET_CRC64NVME=00ff", "LABNET_LAB=1", "LABNET_NAME=" + hostile, "LABNET_OP=upload", "LABNET_PATH=./" + hostile,
				"LABNET_REMOTE=[2001:db8::7]:50000", "LABNET_RESUMED=3", "LABNET_SECONDS=0.0015", "LABNET_SIZE=7", "LABNET_UNCHANGED=1", "LABNET_USER=alice", "OTHERS=pass"}},
		{wire.Event{Op: "upload", Remote: "r", Name: "n", Path: "latin\xe9/n", Size: new(int64), Digest: wire.Digests()[1], Sum: []byte{0, 0xff}},
			[]string{"LABNET_NAME=n", "LABNET_OP=upload", "LABNET_PATH=latin\uFFFD/n", "LABNET_REMOTE=r", "LABNET_SECONDS=0", "LABNET_SHA256=00ff", "LABNET_SIZE=0", "OTHERS=pass"}},
		{wire.Event{Op: "say", Remote: "r", Text: "hi"},
			[]string{"LABNET_OP=say", "LABNET_REMOTE=r", "LABNET_TEXT=hi", "OTHERS=pass"}},
		{wire.Event{Op: "say", Remote: "r", Text: "a\x00b", Lab: true},
			[]string{"LABNET_LAB=1", "LABNET_OP=say", "LABNET_REMOTE=r", "OTHERS=pass"}},
	} {
		line := terminal.Encode(terminal.ReceiptOf(test.event))
		e.add(test.event.Op, line)
		log.await(t, "command done")
		got := logValues(t, log.take(), "stdout")
		if want := append(test.want, strings.TrimSpace(string(line))); !slices.Equal(got, want) {
			t.Errorf("%s:\n%q, want\n%q", test.event.Op, got, want)
		}
	}
	if _, err := os.Stat("pwned"); err == nil {
		t.Error("a name was run")
	}
}

// TestExecFails: how a command fails is logged, and the next is run.
func TestExecFails(t *testing.T) {
	gate := pipe(t)
	open, err := os.OpenFile(gate, os.O_RDWR, 0) // until the test ends, and what is left running with it
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	log := newLogOf()
	e := shell(t, log, `case $LABNET_TEXT in out) exit 3;; killed) kill -9 $$;; fine) ;; left) cat '`+gate+`' & ;; esac`, nil)
	e.grace = time.Millisecond
	for text, want := range map[string]string{"out": "exit status 3", "killed": "signal: killed", "fine": "command done", "left": "holds its output"} {
		e.addEvent(wire.Event{Op: "say", Text: text})
		if line := log.await(t, "command "); !strings.Contains(line, want) {
			t.Errorf("%s: %s, want %s", text, line, want)
		}
	}
}

func TestExecTimeout(t *testing.T) {
	log := newLogOf()
	e := shell(t, log, "exec sleep 1000", func(o *Options) { o.Timeout = 10 * time.Millisecond })
	e.addEvent(wire.Event{Op: "ping"})
	if line := log.await(t, "command failed"); !strings.Contains(line, "took longer than 10ms") {
		t.Error(line)
	}
}

// TestExecStops: so many run at a time and no more, no receipt is waited for, and
// when the server stops those that run may end, and the others are told of.
func TestExecStops(t *testing.T) {
	gate := pipe(t)
	log := newLogOf()
	e := shell(t, log, "echo begun; read -r end < '"+gate+"'", func(o *Options) { o.Jobs = 2 })
	for range 5 {
		e.addEvent(wire.Event{Op: "ping"})
	}
	log.await(t, "begun")
	log.await(t, "begun")
	e.Stop()
	e.addEvent(wire.Event{Op: "ping"})
	for range 4 {
		log.await(t, "not run")
	}
	open, err := os.OpenFile(gate, os.O_WRONLY, 0)
	if err := err; err != nil {
		t.Fatal(err)
	}
	io.WriteString(open, "end\nend\n")
	e.Finish(t.Context())
	open.Close()
	log.await(t, "command done")
	log.await(t, "command done")
}

// TestExecKills: what does not end when it is asked to is killed, with all that
// it has started.
func TestExecKills(t *testing.T) {
	held := pipe(t)
	log := newLogOf()
	e := shell(t, log, "trap '' TERM; (echo begun; exec sleep 1000) > '"+held+"'", nil)
	e.grace = 10 * time.Millisecond
	e.addEvent(wire.Event{Op: "ping"})
	r, err := os.Open(held)
	if err := err; err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := bufio.NewReader(r)
	if line, err := b.ReadString('\n'); line != "begun\n" {
		t.Fatal(line, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	e.Finish(ended)
	r.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := b.ReadByte(); err != io.EOF {
		t.Errorf("a process is left: %v", err)
	}
	log.await(t, "command failed")
}

func pipe(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
