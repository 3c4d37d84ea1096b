package commands_test

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestExposed serves where other machines would be, in a network that has none.
func TestExposed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a network namespace")
	}
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, fmt.Appendf(nil, "alice %x", sha256.Sum256([]byte(anyToken))), 0o600); err != nil {
		t.Fatal(err)
	}
	invited := filepath.Join(t.TempDir(), "store")
	run(t, labnetCommand(t, "invite", "alice", "--at", "192.0.2.1", "--store", invited))
	const (
		refused   = "other machines may reach it, and without TLS and tokens"
		tokenless = "other machines may reach it, and without tokens"
		warned    = "insecure: whoever reaches this address can send files"
	)
	for _, test := range []struct{ args, env, want string }{
		{"-l 0.0.0.0:0", "", refused},
		{"-l :0 --tls", "", tokenless},
		{"-l [::]:0", "LABNET_SERVE_TLS=1", tokenless},
		{"-l :0 --tls --tokens " + tokens, "", ""},
		{"-l 0.0.0.0:0", "LABNET_SERVE_TLS=1 LABNET_TOKENS=" + tokens, ""},
		{"-l :0 --store " + invited, "", ""},
		{"-l :0 --tls --store " + invited, "", ""},
		{"-l [::]:0", "LABNET_STORE=" + invited, ""},
		{"-l :0 --lab 3 --store " + invited, "", refused},
		{"-l :0 --insecure --store " + invited, "", warned},
		{"-l :0 --insecure", "", warned},
		{"-l :0 --tls --insecure", "", warned},
		{"-l :0", "LABNET_INSECURE=1", warned},
		{"-l :0", "LABNET_INSECURE=0", refused},
	} {
		t.Run(test.args+" "+test.env, func(t *testing.T) {
			addrFile := filepath.Join(t.TempDir(), "addr")
			cmd := labnetCommand(t, append([]string{"serve", "--addr-file", addrFile}, strings.Fields(test.args)...)...)
			cmd.Env = append(cmd.Env, strings.Fields(test.env)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
			server := launch(t, cmd)
			if strings.HasPrefix(test.want, "other machines") {
				if server.wait() == nil || !strings.Contains(server.stderr.String(), test.want) {
					t.Errorf("%v: %s", server.err, &server.stderr)
				}
				return
			}
			awaitFile(t, addrFile)
			cmd.Process.Signal(syscall.SIGTERM)
			server.wait()
			log := server.stderr.String()
			if tls, tokens := strings.Contains(log, `"encrypting`), strings.Contains(log, `"tokens read"`); test.want == "" && !(tls && tokens) {
				t.Errorf("TLS %t, tokens %t: the log says %s", tls, tokens, log)
			}
			if strings.Contains(log, warned) != (test.want == warned) {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

// TestPassedExposed takes no socket at an address that other machines may reach.
// This one is in a network that has none.
func TestPassedExposed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a network namespace")
	}
	sockets, addrs := make(chan *os.File, 1), make(chan string, 1)
	go func() {
		defer close(sockets)
		runtime.LockOSThread() // and never unlocks: the thread ends with its network
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		file, addr := listeningFile(t, "tcp", "0.0.0.0:0")
		sockets <- file
		addrs <- addr
	}()
	socket := <-sockets
	if socket == nil {
		return
	}
	addr := <-addrs
	for _, flags := range [][]string{nil, {"--tls"}} {
		server := launch(t, passTo(labnetCommand(t, append([]string{"serve"}, flags...)...), "1", "", socket))
		if server.wait() == nil || !strings.Contains(server.stderr.String(), "error: listen "+addr+": other machines may reach it") {
			t.Errorf("%q: %v, %s", flags, server.err, &server.stderr)
		}
	}
}

// TestAddressFamily: at an address of IPv4 nobody is served over IPv6.
func TestAddressFamily(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here: ", err)
	} else {
		l.Close()
	}
	for _, test := range []struct {
		listen    string
		four, six bool
	}{
		{"0.0.0.0:0", true, false},
		{":0", true, true},
		{"[::]:0", true, true},
		{"127.0.0.1:0", true, false},
		{"[::1]:0", false, true},
	} {
		addrFile := filepath.Join(t.TempDir(), "addr")
		launch(t, labnetCommand(t, "serve", "--insecure", "-l", test.listen, "--addr-file", addrFile))
		_, port, err := net.SplitHostPort(awaitFile(t, addrFile))
		if err != nil {
			t.Fatal(err)
		}
		for host, want := range map[string]bool{"127.0.0.1": test.four, "::1": test.six} {
			conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
			if (err == nil) != want {
				t.Errorf("-l %s: %s answers: %v, want %t", test.listen, host, err, want)
			}
			if err == nil {
				conn.Close()
			}
		}
	}
}
