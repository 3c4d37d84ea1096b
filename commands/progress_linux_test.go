package commands_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/labnet/labnet/commands/terminal/terminaltest"
)

// A terminal is one to run a command on: a real one, as far as the command can
// tell, whose screen the test sees.
type terminal struct {
	*terminaltest.Screen
	keyboard *os.File
	changed  chan struct{} // after a write, if nobody has looked since
	ended    chan struct{} // closed when nobody writes any more
}

// onTerminal starts a command in the foreground of a new terminal. What it has
// not been given of its input and outputs is the terminal.
func onTerminal(t *testing.T, cmd *exec.Cmd, width int) *terminal {
	t.Helper()
	keyboard, tty := openTerminal(t)
	defer tty.Close()
	s := &terminal{terminaltest.NewScreen(width), keyboard, make(chan struct{}, 1), make(chan struct{})}
	s.Reflows = true
	s.AfterWrite(func(string) {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	})
	s.resize(t, width)
	if cmd.Stdin == nil {
		cmd.Stdin = tty
	}
	if cmd.Stdout == nil {
		cmd.Stdout = tty
	}
	cmd.Stderr = tty
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		io.Copy(s, keyboard) // ends with EIO
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-s.ended
		keyboard.Close()
	})
	return s
}

func (s *terminal) resize(t *testing.T, width int) {
	t.Helper()
	s.Resize(width)
	if err := unix.IoctlSetWinsize(int(s.keyboard.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: 24}); err != nil {
		t.Fatal(err)
	}
}

// await waits until the last line on the screen is as it should be.
func (s *terminal) await(t *testing.T, what string, is func(string) bool) {
	t.Helper()
	for overdue := time.After(patience); ; {
		if lines := s.Lines(); len(lines) > 0 && is(lines[len(lines)-1]) {
			return
		}
		select {
		case <-s.changed:
		case <-overdue:
			t.Fatalf("no %s on the screen:\n%s", what, strings.Join(s.Lines(), "\n"))
		}
	}
}

// end waits until the command has ended and all it wrote is on the screen.
func (s *terminal) end(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	overdue := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	cmd.Wait()
	<-s.ended
	return s.Lines()
}

// streaming starts an upload of a stream on a terminal, sends some of it, and
// returns when its progress is shown.
func streaming(t *testing.T) (*exec.Cmd, *terminal, io.WriteCloser) {
	t.Helper()
	addr, _ := startServe(t)
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	t.Cleanup(func() { out.Close() })
	cmd := labnetCommand(t, "upload", "-a", addr, "--name", "stream", "-")
	cmd.Stdin = in
	s := onTerminal(t, cmd, 80)
	if _, err := out.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	s.await(t, "progress", func(line string) bool { return strings.HasPrefix(line, "stream  ") && strings.HasSuffix(line, "/s") })
	return cmd, s, out
}

// TestProgressOnTerminal: progress is shown on a real terminal, also when that
// becomes narrow, and nothing of it is left below the result.
func TestProgressOnTerminal(t *testing.T) {
	cmd, s, input := streaming(t)
	s.resize(t, 5)
	s.await(t, "narrow progress", func(line string) bool { return len(line) > 1 && len(line) < 8 })
	s.resize(t, 80)
	input.Close()
	lines := s.end(t, cmd)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "stream  1.0 MiB  ") || !cmd.ProcessState.Success() {
		t.Errorf("%v, and on the screen is\n%s", cmd.ProcessState, strings.Join(lines, "\n"))
	}
}

// TestProgressInterrupted: Ctrl-C leaves nothing of it but what became of the stream,
// and labnet dies of the signal.
func TestProgressInterrupted(t *testing.T) {
	cmd, s, _ := streaming(t)
	s.keyboard.WriteString("\x03")
	lines := s.end(t, cmd)
	lines = slices.DeleteFunc(lines, func(l string) bool { return l == "^C" }) // the terminal's own
	want := []string{"labnet: stream: stopped; nothing was kept"}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !slices.Equal(lines, want) || status.Signal() != syscall.SIGINT {
		t.Errorf("%v, and on the screen is\n%s", cmd.ProcessState, strings.Join(lines, "\n"))
	}
}

// TestVerifyInterrupted: Ctrl-C ends verify, which has told how far it is.
func TestVerifyInterrupted(t *testing.T) {
	store := t.TempDir()
	for _, name := range []string{"a", "b"} {
		must(t, os.WriteFile(filepath.Join(store, name), nil, 0o666))
		must(t, os.Truncate(filepath.Join(store, name), 100<<20))
	}
	cmd := labnetCommand(t, "verify", "--limit-rate", "1M", store)
	s := onTerminal(t, cmd, 80)
	s.await(t, "progress", func(line string) bool {
		return strings.HasPrefix(line, "0 of 2 files  ") && strings.Contains(line, " read  ")
	})
	s.keyboard.WriteString("\x03")
	lines := s.end(t, cmd)
	lines = slices.DeleteFunc(lines, func(l string) bool { return l == "^C" })
	want := []string{"labnet: stopped: 0 of 2 files read"}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !slices.Equal(lines, want) || status.Signal() != syscall.SIGINT {
		t.Errorf("%v, and on the screen is\n%s", cmd.ProcessState, strings.Join(lines, "\n"))
	}
}
