package commands_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A person sits at a terminal in whose foreground a command runs, types, and
// reads what comes.
type person struct {
	keyboard, tty *os.File
	read          chan []byte  // what came; closed when nobody writes any more
	seen          []byte       // since the last wait
	before, after unix.Termios // the terminal's mode, before the command and when it has ended
	unread        int          // bytes that were typed, and that the command has not read
}

// openTerminal opens both ends of a new terminal, or skips the test.
func openTerminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminal to be had: ", err)
	}
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err = errors.Join(err, unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminal to be had: ", err)
	}
	return keyboard, tty
}

// sitDown starts a command on a new terminal, on which is all of its input and
// output that it was not given.
func sitDown(t *testing.T, cmd *exec.Cmd) *person {
	t.Helper()
	return sitDownAs(t, cmd, "xterm")
}

// sitDownAs is sitDown at a terminal of a kind.
func sitDownAs(t *testing.T, cmd *exec.Cmd, term string) *person {
	t.Helper()
	keyboard, tty := openTerminal(t)
	p := &person{keyboard: keyboard, tty: tty, read: make(chan []byte, 1024)}
	p.resize(t, 100)
	p.before = p.mode(t)
	cmd.Stdin, cmd.Stderr = tty, tty
	if cmd.Stdout == nil {
		cmd.Stdout = tty
	}
	cmd.Env = append(cmd.Env, "TERM="+term)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			b := make([]byte, 4096)
			n, err := keyboard.Read(b)
			if err != nil { // EIO: no process has the terminal any more
				close(p.read)
				return
			}
			p.read <- b[:n]
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		tty.Close()
		for range p.read {
		}
		<-ended
		keyboard.Close()
	})
	return p
}

func (p *person) resize(t *testing.T, width int) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(p.keyboard.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: 24}); err != nil {
		t.Fatal(err)
	}
}

// types types keys, all at once.
func (p *person) types(t *testing.T, keys string) {
	t.Helper()
	if _, err := p.keyboard.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// awaits waits until a text came, and returns what came before it.
func (p *person) awaits(t *testing.T, text string) string {
	t.Helper()
	for overdue := time.After(patience); ; {
		if before, after, found := bytes.Cut(p.seen, []byte(text)); found {
			p.seen = after
			return string(before)
		}
		select {
		case b, open := <-p.read:
			if !open {
				t.Fatalf("all ended before %q:\n%q", text, p.seen)
			}
			p.seen = append(p.seen, b...)
		case <-overdue:
			t.Fatalf("no %q on the terminal:\n%q", text, p.seen)
		}
	}
}

// mode is that of the terminal: what "stty -g" shows.
func (p *person) mode(t *testing.T) unix.Termios {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *mode
}

// ends waits until a command has ended, and returns what it wrote since. The
// terminal can no longer be used then.
func (p *person) ends(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	overdue := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	cmd.Wait()
	p.after = p.mode(t)
	p.unread, _ = unix.IoctlGetInt(int(p.tty.Fd()), unix.TIOCINQ)
	p.tty.Close()
	var rest strings.Builder
	rest.Write(p.seen)
	for b := range p.read {
		rest.Write(b)
	}
	return rest.String()
}
