package commands_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFirstProcess: as the first process of a container a server cannot die of
// the signal that stops it, and exits as a shell would say.
func TestFirstProcess(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a PID namespace")
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		addr := filepath.Join(t.TempDir(), "addr")
		cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", addr)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		var log bytes.Buffer
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Skip("no PID namespace to be had: ", err)
		}
		awaitFile(t, addr)
		cmd.Process.Signal(signal)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 128+int(signal) {
			t.Errorf("%s: ended with %v\n%s", signal, cmd.ProcessState, &log)
		}
	}
}

// TestFirstProcessReaps: as the first process of a container a server waits for what
// its commands leave behind, and takes no command's own status away.
func TestFirstProcessReaps(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a PID namespace")
	}
	dir := t.TempDir()
	hook := filepath.Join(dir, "hook")
	// Of each command two processes are left, one of which ends while it runs.
	script := "#!/bin/sh\n(sh -c 'exit 1' & sh -c 'read x <" + filepath.Join(dir, "fifo") + "' & echo >>" + filepath.Join(dir, "ran") + ") >/dev/null 2>&1\nexit 7\n"
	if err := os.WriteFile(hook, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	addrFile := filepath.Join(dir, "addr")
	cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", addrFile, "--exec", hook, "--exec-on", "say", "--exec-jobs", "4")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Skip("no PID namespace to be had: ", err)
	}
	defer func() { cmd.Cancel(); cmd.Wait() }()
	const times = 50
	say := labnetCommand(t, "say", "-a", awaitFile(t, addrFile), "-")
	say.Stdin = strings.NewReader(strings.Repeat("hello\n", times))
	run(t, say)
	count := func(name, text string) int { return strings.Count(string(readFile(t, filepath.Join(dir, name))), text) }
	until(t, "all commands have ended", func() bool { return count("log", `"command failed"`) == times })
	if got := count("log", `"error":"exit status 7"`); got != times {
		t.Errorf("%d commands ended with their own status, want %d\n%s", got, times, readFile(t, log.Name()))
	}
	readers, err := os.OpenFile(filepath.Join(dir, "fifo"), os.O_RDWR, 0) // lets those that are left end
	if err != nil {
		t.Fatal(err)
	}
	defer readers.Close()
	if _, err := readers.WriteString(strings.Repeat("x\n", times)); err != nil {
		t.Fatal(err)
	}
	until(t, "nothing is left", func() bool { return len(childrenOf(t, cmd.Process.Pid)) == 0 })
}

// until waits until something is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// childrenOf returns what /proc says of the children of a process, zombies too.
func childrenOf(t *testing.T, pid int) (children []string) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stats {
		stat, _ := os.ReadFile(name) // it may have ended
		_, fields, _ := bytes.Cut(stat, []byte(") "))
		if len(fields) > 2 && strings.HasPrefix(string(fields[2:]), fmt.Sprint(pid, " ")) {
			children = append(children, string(stat))
		}
	}
	return children
}
