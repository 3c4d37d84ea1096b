package process

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if err := Adopt(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, line string) (*Line, string) {
	t.Helper()
	output, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	l, err := Start(line, os.Environ(), output)
	if err != nil {
		t.Fatal(err)
	}
	return l, output.Name()
}

func TestWait(t *testing.T) {
	for _, test := range []struct{ line, want, output string }{
		{"echo hello", "", "hello\n"},
		{"exec echo hello", "", "hello\n"},
		{"cat", "", ""}, // its input is empty
		{"echo no >&2; exit 3", "exit code 3", "no\n"},
		{"kill -TERM 0", "ended by signal: terminated", ""},
	} {
		l, output := start(t, test.line)
		got := ""
		if err := l.Wait(t.Context()); err != nil {
			got = err.Error()
		}
		if text, _ := os.ReadFile(output); got != test.want || string(text) != test.output {
			t.Errorf("%s: %q, output %q; want %q, %q", test.line, got, text, test.want, test.output)
		}
	}
}

// TestPeak: what this process needs is not counted in what a line needs.
func TestPeak(t *testing.T) {
	ballast := make([]byte, 200<<20)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	l, _ := start(t, "exec true")
	if err := l.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if peak := l.Usage().Peak; peak <= 0 || peak > 20<<20 {
		t.Errorf("true needed %d bytes", peak)
	}
	l, _ = start(t, "head -c 100000000 /dev/zero | tail -c 100000000 >/dev/null; true")
	if err := l.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if peak := l.Usage().Peak; peak < 90<<20 {
		t.Errorf("tail of 100 MB needed %d bytes", peak)
	}
	ballast[0]++
}

// TestStop: a line that does not end is killed, with all that it started.
func TestStop(t *testing.T) {
	l, _ := start(t, "trap '' TERM; sleep 1000 & sleep 1000 & echo; wait; sleep 1000")
	pids, _ := l.Tree()
	for len(pids) < 3 {
		pids, _ = l.Tree()
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("too slow")
	cancel(cause)
	if err := l.Wait(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	all := table()
	for pid := range all {
		if slices.Contains(pids, pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

func TestUsageOfProcessesThatEnded(t *testing.T) {
	l, _ := start(t, "i=0; while [ $i -lt 20 ]; do i=$((i+1)); head -c 10000000 /dev/zero | cksum; done")
	if err := l.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if used := l.Usage().CPU; used <= 0 {
		t.Errorf("used %v", used)
	}
}

func TestListening(t *testing.T) {
	self := &Line{pid: os.Getpid()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !self.Listening(l.Addr().(*net.TCPAddr).Port) {
		t.Error("not seen")
	}
	if self.Listening(0) {
		t.Error("seen where nobody can listen")
	}
}

// TestOthers: this process and those it started are not others.
func TestOthers(t *testing.T) {
	all := table()
	self := os.Getpid()
	if !below(all, self, self) || below(all, all[self].parent, self) {
		t.Error("a parent is taken for a descendant")
	}
	if _, ok := all[self]; !ok {
		t.Error("this process is missing")
	}
	before := Load{at: time.Unix(0, 0), used: time.Second}
	if got := (Load{at: time.Unix(10, 0), used: 2 * time.Second}).Since(before); got != 0.1 {
		t.Errorf("one second of ten is %v", got)
	}
}
