package commands_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/commands/sandbox"
	"github.com/labnet/labnet/wire"
)

// TestServeIsConfined: serve confines itself in every thread, and tells so, or
// why it does not.
func TestServeIsConfined(t *testing.T) {
	if bytes.Contains(readFile(t, "/proc/self/status"), []byte("NoNewPrivs:\t1")) {
		t.Skip("whoever runs the tests can gain no privileges itself")
	}
	asUsual := "confined to the store"
	if sandbox.Version() < 6 {
		asUsual = "this kernel confines the server less than newer ones do"
	}
	for _, test := range []struct {
		flags    []string
		confined bool
		told     string
	}{
		{nil, true, asUsual},
		{[]string{"--tls"}, true, asUsual},
		{[]string{"--lab", "6"}, true, asUsual},
		{[]string{"--no-sandbox"}, false, "not confined, because of --no-sandbox"},
		{[]string{"--exec", "true"}, false, "not confined, because the command of --exec would be, too"},
	} {
		t.Run(strings.Join(test.flags, " "), func(t *testing.T) {
			server, addr := launchServe(t, t.TempDir(), append([]string{"--log-level=debug"}, test.flags...)...)
			if len(test.flags) == 0 || test.flags[0] == "--exec" {
				run(t, labnetCommand(t, "say", "-a", addr, "hi")) // so that it has more threads
			} else { // it answers once it is confined
				conn := must(net.Dial("tcp", addr))
				conn.Write([]byte("\n"))
				conn.Read(make([]byte, 1))
				conn.Close()
			}
			threads := must(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", server.cmd.Process.Pid)))
			if len(threads) == 0 {
				t.Fatal("no threads")
			}
			for _, thread := range threads {
				if got := bytes.Contains(readFile(t, thread), []byte("NoNewPrivs:\t1")); got != test.confined {
					t.Errorf("%s: no new privileges: %t, want %t", thread, got, test.confined)
				}
			}
			server.cmd.Process.Signal(os.Interrupt)
			server.wait()
			if !strings.Contains(server.stderr.String(), `"message":"`+test.told) {
				t.Errorf("not told %q: %s", test.told, &server.stderr)
			}
		})
	}
}

// TestTimeZoneWhenConfined: the first time that is logged may be one after the file
// of the time zone is out of reach.
func TestTimeZoneWhenConfined(t *testing.T) {
	const zone = "Asia/Tokyo"
	if _, err := os.Stat("/usr/share/zoneinfo/" + zone); err != nil {
		t.Skip("no time zones are installed: ", err)
	}
	addrFile := filepath.Join(t.TempDir(), "addr")
	cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", addrFile, "--log-level", "warn")
	cmd.Env = append(cmd.Env, "TZ="+zone)
	server := launch(t, cmd)
	conn := must(net.Dial("tcp", awaitFile(t, addrFile)))
	conn.Write(wire.AppendString(nil, "../f\x00"))
	conn.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, conn)
	conn.Close()
	server.cmd.Process.Signal(os.Interrupt)
	server.wait()
	if got := server.stderr.String(); !strings.Contains(got, "refused") || !strings.Contains(got, "+09:00") {
		t.Errorf("logged in another zone: %s", got)
	}
}

// TestNotifyWhenConfined: the service manager hears of the end, too, though its
// socket is one of those that a confined process may not connect to.
func TestNotifyWhenConfined(t *testing.T) {
	socket, next := notices(t, fmt.Sprintf("@labnet-test-notify-%d", os.Getpid()))
	cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket)
	server := launch(t, cmd)
	for _, want := range []string{"READY=1", "STOPPING=1"} {
		if got := next(); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		server.cmd.Process.Signal(os.Interrupt)
	}
	server.wait()
}

// TestRenewedCertificateWhenConfined: a certificate that somebody renews in the
// folders where it was is found, through symlinks too, as certbot has them; one
// that a symlink now leads to elsewhere is out of reach.
func TestRenewedCertificateWhenConfined(t *testing.T) {
	if sandbox.Version() < 2 {
		t.Skip("this kernel's Landlock cannot confine files")
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, folder := range []string{"live", "archive", "elsewhere"} {
		if err := os.Mkdir(in(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	point := func(folder string, serial int64) {
		t.Helper()
		for _, name := range []string{"cert", "key"} {
			name = in("live/" + name)
			os.Remove(name)
			if err := os.Symlink(fmt.Sprintf("../%s/%s%d", folder, filepath.Base(name), serial), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	renew := func(folder string, serial int64) {
		t.Helper()
		newPair(t, in(fmt.Sprintf("%s/cert%d", folder, serial)), in(fmt.Sprintf("%s/key%d", folder, serial)), serial)
		point(folder, serial)
	}
	renew("archive", 1)
	server, addr := launchServe(t, t.TempDir(), "--cert", in("live/cert"), "--key", in("live/key"))
	var got []int64
	for _, step := range []func(){
		func() {},
		func() { renew("archive", 2) },
		func() { renew("elsewhere", 3) },
		func() { renew("archive", 4) },
	} {
		step()
		got = append(got, serialOf(t, addr))
	}
	if diff := cmp.Diff([]int64{1, 2, 2, 4}, got); diff != "" {
		t.Errorf("certificates (-want +got):\n%s", diff)
	}
	server.cmd.Process.Signal(os.Interrupt)
	server.wait()
	if !strings.Contains(server.stderr.String(), "permission denied") {
		t.Errorf("no word of it: %s", &server.stderr)
	}
}

// TestManyFilesWhenConfinedWithoutRights: a server that is nobody in particular keeps
// many small files at once. Each of its threads has credentials of its own then, and
// one gives files their names that another has made.
func TestManyFilesWhenConfinedWithoutRights(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can run a server as somebody else")
	}
	const nobody, count = 65534, 100
	dir := must(os.MkdirTemp("", "labnet")) // t.TempDir is for its owner only
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, addrFile, store := filepath.Join(dir, "labnet"), filepath.Join(dir, "addr"), filepath.Join(dir, "store")
	if err := errors.Join(
		os.WriteFile(program, readFile(t, must(os.Executable())), 0o755),
		os.Chmod(dir, 0o755),
		os.Chown(dir, nobody, nobody),
	); err != nil {
		t.Fatal(err)
	}
	cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--addr-file", addrFile, "--store", store)
	cmd.Path, cmd.Dir = program, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	launch(t, cmd)
	addr := awaitFile(t, addrFile)

	source := filepath.Join(t.TempDir(), "files")
	if err := os.Mkdir(source, 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		randomFile(t, filepath.Join(source, fmt.Sprint(i)), 100)
	}
	run(t, labnetCommand(t, "upload", "-a", addr, source))
	if kept := must(os.ReadDir(filepath.Join(store, "files"))); len(kept) != count {
		t.Errorf("%d files are kept, want %d", len(kept), count)
	}
}
