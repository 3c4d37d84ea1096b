package commands_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/landlock-lsm/go-landlock/landlock"
	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/labnet/labnet/commands/sandbox"
)

func init() {
	otherPrograms["confined"] = confinedMain
	otherPrograms["crowded"] = crowdedMain
}

// A deed is something that a server which somebody has taken over could try. In
// the folder that is given to it there are store/, outside/ and keys/, with a
// file f in each.
type deed struct {
	name  string
	since int  // the version of Landlock that forbids it; 0: it is allowed
	alone bool // it can be done once, and so in one thread only
	do    func(t *trial) error
}

// A trial is where deeds are done.
type trial struct {
	dir                  string
	allowed, other, peer int // TCP ports, and a process
	abstract             string
}

func (t *trial) path(name string) string { return filepath.Join(t.dir, name) }

func (t *trial) open(name string, flags int) error {
	fd, err := syscall.Open(t.path(name), flags|syscall.O_CLOEXEC, 0o600)
	if err == nil {
		syscall.Close(fd)
	}
	return err
}

// socket does something with a socket of plain TCP: the kernel does not confine
// its like of several paths, which is what package net would make.
func socket(do func(fd int) error) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return do(fd)
}

func connect(port int) error {
	return socket(func(fd int) error {
		return syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	})
}

var deeds = []deed{
	{name: "read in the store", do: func(t *trial) error { return t.open("store/f", syscall.O_RDONLY) }},
	{name: "write in the store", do: func(t *trial) error { return t.open("store/f", syscall.O_RDWR|syscall.O_TRUNC) }},
	{name: "make a file without a name in the store", do: func(t *trial) error { return t.open("store", unix.O_TMPFILE|syscall.O_RDWR) }},
	{name: "list the store", do: func(t *trial) error { return t.open("store", syscall.O_RDONLY|syscall.O_DIRECTORY) }},
	{name: "make a folder in the store", alone: true, do: func(t *trial) error { return syscall.Mkdir(t.path("store/d"), 0o700) }},
	{name: "give a file in the store a name in a folder of it", alone: true, do: func(t *trial) error { return syscall.Link(t.path("store/f"), t.path("store/d/f")) }},
	{name: "move a file in the store to a folder of it", alone: true, do: func(t *trial) error { return syscall.Rename(t.path("store/g"), t.path("store/d/g")) }},
	{name: "remove in the store", alone: true, do: func(t *trial) error { return syscall.Unlink(t.path("store/d/g")) }},
	{name: "make a symlink in the store", alone: true, do: func(t *trial) error { return syscall.Symlink("f", t.path("store/symlink")) }},
	{name: "read a certificate", do: func(t *trial) error { return t.open("keys/f", syscall.O_RDONLY) }},
	{name: "read the certificate that came in its place", do: func(t *trial) error { return t.open("keys/later", syscall.O_RDONLY) }},
	{name: "connect to an allowed port", do: func(t *trial) error { return connect(t.allowed) }},
	{name: "signal itself", do: func(*trial) error { return syscall.Kill(os.Getpid(), 0) }},

	{name: "read elsewhere", since: 2, do: func(t *trial) error { return t.open("outside/f", syscall.O_RDONLY) }},
	{name: "read elsewhere by a symlink in the store", since: 2, do: func(t *trial) error { return t.open("store/out/f", syscall.O_RDONLY) }},
	{name: "write elsewhere", since: 2, do: func(t *trial) error { return t.open("outside/f", syscall.O_WRONLY) }},
	{name: "make a file elsewhere", since: 2, do: func(t *trial) error { return t.open("outside/new", syscall.O_WRONLY|syscall.O_CREAT) }},
	{name: "list elsewhere", since: 2, do: func(t *trial) error { return t.open("outside", syscall.O_RDONLY|syscall.O_DIRECTORY) }},
	{name: "move out of the store", since: 2, alone: true, do: func(t *trial) error { return syscall.Rename(t.path("store/h"), t.path("outside/h")) }},
	{name: "give a file elsewhere a name in the store", since: 2, alone: true, do: func(t *trial) error { return syscall.Link(t.path("outside/f"), t.path("store/outer")) }},
	{name: "remove elsewhere", since: 2, alone: true, do: func(t *trial) error { return syscall.Unlink(t.path("outside/i")) }},
	{name: "write over a certificate", since: 2, do: func(t *trial) error { return t.open("keys/f", syscall.O_WRONLY) }},
	{name: "list the certificates", since: 2, do: func(t *trial) error { return t.open("keys", syscall.O_RDONLY|syscall.O_DIRECTORY) }},
	{name: "read the password file", since: 2, do: func(t *trial) error { return t.open("../../../../../../etc/passwd", syscall.O_RDONLY) }},
	{name: "make a FIFO in the store", since: 2, alone: true, do: func(t *trial) error { return syscall.Mkfifo(t.path("store/fifo"), 0o600) }},
	{name: "run a program", since: 2, alone: true, do: func(t *trial) error {
		_, err := syscall.ForkExec("/bin/true", []string{"true"}, nil)
		return err
	}},
	{name: "empty a file elsewhere", since: 3, do: func(t *trial) error { return syscall.Truncate(t.path("outside/f"), 0) }},
	{name: "listen", since: 4, do: func(*trial) error {
		return socket(func(fd int) error { return syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}) })
	}},
	{name: "connect to another port", since: 4, do: func(t *trial) error { return connect(t.other) }},
	{name: "signal another process", since: 6, do: func(t *trial) error { return syscall.Kill(t.peer, 0) }},
	{name: "connect to an abstract socket", since: 6, do: func(t *trial) error {
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		return syscall.Connect(fd, &syscall.SockaddrUnix{Name: t.abstract})
	}},
	{name: "gain privileges", since: 1, do: func(*trial) error {
		if on, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); on == 1 || err != nil {
			return errors.Join(syscall.EPERM, err)
		}
		return nil
	}},
}

// confinedMain confines itself, unless told not to, gives a file elsewhere another name
// before it gives up that right, too, and prints by thread what it could not do: those
// threads come first that were there before it.
func confinedMain() {
	var t trial
	var confine bool
	if err := json.Unmarshal([]byte(os.Args[1]), &[]any{&t.dir, &t.allowed, &t.other, &t.abstract, &confine}); err != nil {
		panic(err)
	}
	t.peer = os.Getppid()
	const threads = 4
	failed := make([]map[string]string, 2*threads)
	before, after := make(chan struct{}), make(chan struct{})
	var ready, done sync.WaitGroup
	thread := func(i int, wait <-chan struct{}) {
		ready.Add(1)
		done.Go(func() {
			runtime.LockOSThread()
			ready.Done()
			<-wait
			failed[i] = make(map[string]string)
			for _, d := range deeds {
				if d.alone && i > 0 {
					continue
				}
				if err := d.do(&t); err != nil {
					failed[i][d.name] = err.Error()
				}
			}
		})
	}
	for i := range threads {
		thread(i, before)
	}
	ready.Wait()
	if confine {
		s := sandbox.Sandbox{Store: t.path("store"), Reads: []string{t.path("keys/f")}, Connects: []uint16{uint16(t.allowed)}, Moves: t.path("outside")}
		err := s.Confine(zerolog.New(os.Stderr))
		if err == nil {
			err = syscall.Rename(t.path("outside/j"), t.path("outside/k"))
		}
		if s.Moves = ""; err == nil {
			err = s.Confine(zerolog.New(os.Stderr))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	for i := range threads {
		thread(threads+i, after)
	}
	close(before)
	close(after)
	done.Wait()
	json.NewEncoder(os.Stdout).Encode(failed)
	os.Exit(0)
}

// TestSandbox: who takes over a confined server cannot leave its store, in any
// thread; what the server needs goes on; and without the sandbox all of it works,
// so that it is the sandbox that forbids it.
func TestSandbox(t *testing.T) {
	version := sandbox.Version()
	for _, confine := range []bool{true, false} {
		t.Run(fmt.Sprintf("confined=%t", confine), func(t *testing.T) {
			if confine && version < 2 {
				t.Skip("this kernel's Landlock, version ", version, ", cannot confine files")
			}
			dir := t.TempDir()
			for _, folder := range []string{"store", "outside", "keys"} {
				if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for _, file := range []string{"store/f", "store/g", "store/h", "outside/f", "outside/i", "outside/j", "keys/f", "keys/later"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(filepath.Join(dir, "outside"), filepath.Join(dir, "store", "out")); err != nil {
				t.Fatal(err)
			}
			abstract := "@labnet-test-" + strconv.Itoa(os.Getpid()) + strconv.FormatBool(confine)
			listenOn := func(network, addr string) net.Listener {
				l := must(net.Listen(network, addr))
				t.Cleanup(func() { l.Close() })
				return l
			}
			listenOn("unix", abstract)
			port := func() int { return listenOn("tcp", "127.0.0.1:0").Addr().(*net.TCPAddr).Port }
			args := must(json.Marshal([]any{dir, port(), port(), abstract, confine}))
			cmd := labnetCommand(t, string(args))
			cmd.Env = append(cmd.Env, "LABNET_TEST_MAIN=confined")
			var failed []map[string]string
			if err := json.Unmarshal([]byte(run(t, cmd)), &failed); err != nil {
				t.Fatal(err)
			}
			for i, got := range failed {
				want := make(map[string]bool)
				for _, d := range deeds {
					want[d.name] = confine && d.since > 0 && d.since <= version && (i == 0 || !d.alone)
				}
				for _, d := range deeds {
					if _, could := got[d.name]; could != want[d.name] {
						t.Errorf("thread %d: %s: %q, to be refused: %t", i, d.name, got[d.name], want[d.name])
					}
				}
			}
		})
	}
}

// crowdedMain is labnet in so many sandboxes that there is room for only so many of
// its own.
func crowdedMain() {
	room, err := strconv.Atoi(os.Getenv("LABNET_TEST_ROOM"))
	if err != nil {
		panic(err)
	}
	for range 16 - room {
		if err := (landlock.Config{HandledAccessFS: kernel.AccessFSMakeSock}).RestrictPaths(); err != nil {
			panic(err)
		}
	}
	labnet()
}

// TestServeMustBeConfined: a server that cannot confine itself although the kernel
// could does not serve, and does not say where, unless it was told not to try. With a
// file to say where, it does so twice.
func TestServeMustBeConfined(t *testing.T) {
	if sandbox.Version() < 2 {
		t.Skip("this kernel's Landlock cannot confine files")
	}
	for _, test := range []struct {
		room   string
		flags  []string
		serves bool
	}{
		{"0", nil, false},
		{"1", nil, false},
		{"2", nil, true},
		{"0", []string{"--no-sandbox"}, true},
	} {
		dir := t.TempDir()
		addr := filepath.Join(dir, "addr")
		cmd := labnetCommand(t, append([]string{"serve", "-l", "127.0.0.1:0", "--addr-file", addr, "--store", t.TempDir()}, test.flags...)...)
		cmd.Env = append(cmd.Env, "LABNET_TEST_MAIN=crowded", "LABNET_TEST_ROOM="+test.room)
		server := launch(t, cmd)
		if test.serves {
			run(t, labnetCommand(t, "say", "-a", awaitFile(t, addr), "hi"))
			continue
		}
		if server.wait(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(server.stderr.String(), "labnet: error: cannot confine itself: ") {
			t.Errorf("%s: %v: %s", test.room, cmd.ProcessState, &server.stderr)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is there, %v", test.room, left, err)
		}
	}
}
