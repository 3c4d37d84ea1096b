package commands_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminalServer is a server that was started on a terminal, with its log in a
// file.
type terminalServer struct {
	cmd         *exec.Cmd // what was started on the terminal
	addr, store string
	keyboard    *os.File // whose end closes the terminal
	log         string
}

// serveOnTerminal has a shell command on a new terminal start a server as "$@".
func serveOnTerminal(t *testing.T, script string, args ...string) *terminalServer {
	t.Helper()
	dir := t.TempDir()
	s := &terminalServer{store: filepath.Join(dir, "store"), log: filepath.Join(dir, "log")}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	keyboard, tty := openTerminal(t)
	defer tty.Close()
	s.keyboard = keyboard
	addrFile := filepath.Join(dir, "addr")
	s.cmd = labnetCommand(t, append([]string{"serve", "-l", "127.0.0.1:0", "--addr-file", addrFile, "--store", s.store}, args...)...)
	s.cmd.Args = append([]string{"sh", "-c", script, "sh", s.cmd.Path}, s.cmd.Args[1:]...)
	s.cmd.Path = "/bin/sh"
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		s.cmd.Wait()
		keyboard.Close()
		if t.Failed() {
			t.Logf("log:\n%s", readFile(t, s.log))
		}
	})
	s.addr = awaitFile(t, addrFile)
	return s
}

func (s *terminalServer) logs(t *testing.T, text string) {
	t.Helper()
	awaitText(t, s.log, text)
}

// uploadMeanwhile begins an upload, does something in its middle, and returns when
// it has succeeded.
func uploadMeanwhile(t *testing.T, addr string, flags []string, do func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "f")
	randomFile(t, file, 8<<20)
	reached, goOn := make(chan struct{}), make(chan struct{})
	p := startProxy(t, addr, plan{toServer: fault{do: call, at: 4 << 20, run: func() {
		close(reached)
		<-goOn
	}}})
	client := launch(t, labnetCommand(t, append(append([]string{"upload", "-a", p.addr}, flags...), file)...))
	<-reached
	do()
	close(goOn)
	if err := client.wait(); err != nil || strings.Contains(client.stderr.String(), "retry") {
		t.Errorf("the upload was interrupted: %v", err)
	}
}

// TestTerminalCloses: a server that loses its terminal finishes what it is doing
// and ends, whatever it would do at a SIGHUP otherwise.
func TestTerminalCloses(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	newPair(t, cert, key, 1)
	for name, test := range map[string]struct {
		script       string
		serve, flags []string
	}{
		"started by itself":       {`exec "$@"`, nil, nil},
		"with a certificate":      {`exec "$@"`, []string{"--cert", cert, "--key", key}, nil},
		"in the background":       {`trap 'kill -HUP $!; wait $!' HUP; "$@" & wait $!`, nil, nil},
		"not confined":            {`exec "$@"`, []string{"--no-sandbox"}, nil},
		"in a shell that is gone": {`"$@"; :`, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveOnTerminal(t, test.script, test.serve...)
			closed := func() {
				if strings.HasSuffix(name, "gone") {
					s.cmd.Process.Kill() // whose terminal stays open
				} else {
					s.keyboard.Close()
				}
				s.logs(t, `"why":"the terminal was closed"`)
			}
			if test.serve == nil || test.serve[0] != "--cert" {
				uploadMeanwhile(t, s.addr, test.flags, closed)
				readFile(t, filepath.Join(s.store, "f"))
			} else {
				closed()
			}
			s.cmd.Wait()
			awaitNobody(t, s.addr)
			status := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
			if strings.HasPrefix(test.script, "exec") && status.Signal() != syscall.SIGHUP {
				t.Errorf("it ended with %v", s.cmd.ProcessState)
			}
			launchServe(t, s.store) // the store is free again
		})
	}
}

// TestTerminalStays: a server goes on at a SIGHUP that is not about its terminal,
// at one that it was told to ignore, and at signals that mean nothing to it.
func TestTerminalStays(t *testing.T) {
	const nothing = "hangup signal: there is nothing to read again"
	t.Run("SIGHUP on a terminal", func(t *testing.T) {
		s := serveOnTerminal(t, `exec "$@"`)
		uploadMeanwhile(t, s.addr, nil, func() {
			s.cmd.Process.Signal(syscall.SIGHUP)
			s.logs(t, nothing)
		})
		s.cmd.Process.Signal(syscall.SIGUSR1)
		s.logs(t, `"signal":"user defined signal 1"`)
		run(t, labnetCommand(t, "ping", "-c", "1", "-a", s.addr))
	})
	t.Run("nohup", func(t *testing.T) {
		s := serveOnTerminal(t, `trap '' HUP; exec "$@"`)
		s.keyboard.Close()
		s.cmd.Process.Signal(syscall.SIGHUP)
		s.cmd.Process.Signal(syscall.SIGUSR2)
		s.logs(t, `"signal":"user defined signal 2"`)
		run(t, labnetCommand(t, "ping", "-c", "1", "-a", s.addr))
		if log := string(readFile(t, s.log)); strings.Contains(log, "stopping") {
			t.Error("it stops")
		}
	})
	t.Run("no terminal", func(t *testing.T) {
		addrFile := filepath.Join(t.TempDir(), "addr")
		cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", addrFile)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { cmd.Cancel(); cmd.Wait() }()
		addr := awaitFile(t, addrFile)
		uploadMeanwhile(t, addr, nil, func() {
			cmd.Process.Signal(syscall.SIGHUP)
			for lines := bufio.NewScanner(stderr); ; {
				if !lines.Scan() {
					t.Fatal("it ended")
				}
				if strings.Contains(lines.Text(), nothing) {
					return
				}
			}
		})
		go func() { // its log is read on
			for b := make([]byte, 4096); ; {
				if _, err := stderr.Read(b); err != nil {
					return
				}
			}
		}()
		run(t, labnetCommand(t, "ping", "-c", "1", "-a", addr))
	})
}

// TestLogReaderEnds: a server whose log nobody reads any more finishes what it is
// doing, and ends as programs do whose output nobody reads.
func TestLogReaderEnds(t *testing.T) {
	addrFile := filepath.Join(t.TempDir(), "addr")
	store := filepath.Join(t.TempDir(), "store")
	cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", addrFile, "--store", store)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(pipe[0]), "r"), os.NewFile(uintptr(pipe[1]), "w")
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Cancel(); cmd.Wait() }()
	w.Close()
	addr := awaitFile(t, addrFile)
	uploadMeanwhile(t, addr, nil, func() {
		r.Close()
		run(t, labnetCommand(t, "say", "-a", addr, "hello")) // a line of the log
		awaitNobody(t, addr)
	})
	readFile(t, filepath.Join(store, "f"))
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGPIPE) {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
}

// awaitText waits until a text is in a file.
func awaitText(t *testing.T, name, text string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if got, err := os.ReadFile(name); err == nil && strings.Contains(string(got), text) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no %q in %s", text, name)
		}
	}
}
