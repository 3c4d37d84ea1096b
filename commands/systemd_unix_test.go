//go:build unix

package commands_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// passTo has a shell pass files on to labnet, as systemd passes sockets: the
// process that becomes labnet says that they are for itself. The variable fds
// is what LISTEN_FDS becomes, and names LISTEN_FDNAMES.
func passTo(cmd *exec.Cmd, fds, names string, files ...*os.File) *exec.Cmd {
	labnet := cmd.Path
	cmd.Path = "/bin/sh"
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=$FDS LISTEN_FDNAMES=$NAMES exec "$@"`, "sh", labnet}, cmd.Args[1:]...)
	cmd.Env = append(cmd.Env, "FDS="+fds, "NAMES="+names)
	cmd.ExtraFiles = files
	return cmd
}

// listeningFile listens as systemd does: this process keeps the socket, and
// never accepts.
func listeningFile(t *testing.T, network, addr string) (*os.File, string) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l, ok := l.(*net.UnixListener); ok {
		l.SetUnlinkOnClose(false)
	}
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, l.Addr().String()
}

// shortDir returns a folder whose name leaves room for that of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "labnet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// notices listens as systemd does for what a service tells, and returns the
// socket's name and a function that waits for the next notice.
func notices(t *testing.T, name string) (string, func() string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return name, func() string {
		t.Helper()
		notice := make([]byte, 4096)
		conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(notice)
		if err != nil {
			t.Fatalf("no notice: %v", err)
		}
		return string(notice[:n])
	}
}

// TestPassedSockets serves on the sockets that were passed, and on no other,
// and leaves them open to whoever passed them.
func TestPassedSockets(t *testing.T) {
	first, firstAddr := listeningFile(t, "tcp", "127.0.0.1:0")
	second, secondAddr := listeningFile(t, "tcp", "127.0.0.1:0")
	local, localAddr := listeningFile(t, "unix", filepath.Join(shortDir(t), "socket"))
	socket, next := notices(t, filepath.Join(shortDir(t), "notify"))
	addrFile := filepath.Join(t.TempDir(), "addr")
	store := filepath.Join(t.TempDir(), "store")
	serve := func() *program {
		cmd := labnetCommand(t, "serve", "-l", firstAddr, "--addr-file", addrFile, "--store", store)
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket)
		return launch(t, passTo(cmd, "3", "a:b", first, second, local))
	}

	// The first is waited for by who knows the address before it runs.
	early := launch(t, labnetCommand(t, "say", "-a", firstAddr, "early"))
	server := serve()
	if err := early.wait(); err != nil {
		t.Errorf("who connected before the start of the server got no answer: %v", err)
	}
	if got := next(); got != "READY=1" {
		t.Errorf("told %q, want READY=1", got)
	}
	if got, want := readFile(t, addrFile), firstAddr+"\n"+secondAddr+"\n"+localAddr+"\n"; string(got) != want {
		t.Errorf("--addr-file has %q, want %q", got, want)
	}
	run(t, labnetCommand(t, "say", "-a", secondAddr, "hello"))
	conn, err := net.Dial("unix", localAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "hello\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, "hello") {
		t.Errorf("the answer over the Unix socket is %q, %v", line, err)
	}
	conn.Close()

	server.cmd.Process.Signal(syscall.SIGTERM)
	if got := next(); got != "STOPPING=1" {
		t.Errorf("told %q, want STOPPING=1", got)
	}
	if err := server.wait(); endOf(err) != syscall.SIGTERM {
		t.Errorf("the server ended by %v, want SIGTERM", err)
	}

	// Its successor answers those who came in between.
	between := launch(t, labnetCommand(t, "say", "-a", secondAddr, "between"))
	serve()
	if err := between.wait(); err != nil {
		t.Errorf("who connected between two servers got no answer: %v", err)
	}
	next()
}

// TestPassedStatus: a socket that is named so is for the status, which then is on no
// other.
func TestPassedStatus(t *testing.T) {
	main, mainAddr := listeningFile(t, "tcp", "127.0.0.1:0")
	status, statusAddr := listeningFile(t, "tcp", "127.0.0.1:0")
	addrFile := filepath.Join(t.TempDir(), "addr")
	cmd := labnetCommand(t, "serve", "--status", "127.0.0.1:1", "--addr-file", addrFile, "--store", filepath.Join(t.TempDir(), "store"))
	launch(t, passTo(cmd, "2", "status:main", status, main))
	awaitFile(t, addrFile)
	if got, want := readFile(t, addrFile), mainAddr+"\n"+statusAddr+"\n"; string(got) != want {
		t.Errorf("--addr-file has %q, want %q", got, want)
	}
	run(t, labnetCommand(t, "say", "-a", mainAddr, "hello"))
	for url, want := range map[string]int{
		statusAddr + "/metrics": http.StatusOK, mainAddr + "/metrics": http.StatusNotFound, statusAddr + "/other": http.StatusNotFound,
		mainAddr + "/healthz": http.StatusOK,
	} {
		answer, err := http.Get("http://" + url)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %s, want %d", url, answer.Status, want)
		}
	}
}

// TestPassedStatusExposed: others must not reach it without tokens.
func TestPassedStatusExposed(t *testing.T) {
	main, _ := listeningFile(t, "tcp", "127.0.0.1:0")
	status, addr := listeningFile(t, "tcp4", "0.0.0.0:0")
	server := launch(t, passTo(labnetCommand(t, "serve"), "2", "main:status", main, status))
	if server.wait() == nil || !strings.Contains(server.stderr.String(), "listen "+addr+": other machines may reach it") {
		t.Errorf("%v, %s", server.err, &server.stderr)
	}
}

// endOf returns the signal that ended a program.
func endOf(err error) syscall.Signal {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.Sys().(syscall.WaitStatus).Signal()
	}
	return -1
}

// TestPassedToAnother takes no socket that was passed to another process,
// whose variables it has inherited.
func TestPassedToAnother(t *testing.T) {
	socket, next := notices(t, filepath.Join(shortDir(t), "notify"))
	file, passed := listeningFile(t, "tcp", "127.0.0.1:0")
	addrFile := filepath.Join(t.TempDir(), "addr")
	cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", addrFile)
	cmd.Env = append(cmd.Env, "LISTEN_PID=1", "LISTEN_FDS=1", "NOTIFY_SOCKET="+socket)
	cmd.ExtraFiles = []*os.File{file}
	launch(t, cmd)
	addr := awaitFile(t, addrFile)
	if addr == passed {
		t.Error("a socket for another process was taken")
	}
	run(t, labnetCommand(t, "say", "-a", addr, "hello"))
	if got := next(); got != "READY=1" {
		t.Errorf("told %q, want READY=1", got)
	}
}

// TestPassedNonsense ends with an error that names what is wrong.
func TestPassedNonsense(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, test := range []struct{ fds, want string }{
		{"1", "labnet: error: descriptor 3 (LISTEN_FDS=1): socket operation on non-socket"},
		{"-1", `labnet: error: LISTEN_FDS="-1" is no number of sockets`},
		{"", `labnet: error: LISTEN_FDS="" is no number of sockets`},
	} {
		server := launch(t, passTo(labnetCommand(t, "serve", "-l", "127.0.0.1:0"), test.fds, "a", file))
		if server.wait() == nil || !strings.Contains(server.stderr.String(), test.want) {
			t.Errorf("LISTEN_FDS=%s: %v, %s", test.fds, server.err, &server.stderr)
		}
	}
}

// TestNobodyToNotify serves although the service manager cannot be told.
func TestNobodyToNotify(t *testing.T) {
	addrFile := filepath.Join(t.TempDir(), "addr")
	cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", addrFile)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+filepath.Join(t.TempDir(), "none"))
	server := launch(t, cmd)
	run(t, labnetCommand(t, "say", "-a", awaitFile(t, addrFile), "hello"))
	server.cmd.Process.Signal(os.Interrupt)
	server.wait()
	if !strings.Contains(server.stderr.String(), "cannot tell the service manager") {
		t.Errorf("the log has no word of it: %s", &server.stderr)
	}
}
