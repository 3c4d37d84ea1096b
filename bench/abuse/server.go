package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/labnet/labnet/wire"
)

// A server is labnet serve as a process.
type server struct {
	cmd   *exec.Cmd
	addr  string
	store string
	log   string // file
	tls   bool
	ended chan struct{} // closed once err is set
	err   error
}

// A launch says how a server is started.
type launch struct {
	program []string // and its first arguments; by default labnet
	addr    string   // by default any port
	store   string   // below the folder of the abuse
	before  string   // a line of shell that the process runs before
	env     []string
	args    []string
}

// serve starts a server and returns once it listens.
func (a *abuse) serve(ctx context.Context, l launch) (*server, error) {
	if l.program == nil {
		l.program = []string{a.labnet}
	}
	if l.addr == "" {
		l.addr = "127.0.0.1:0"
	}
	if l.before == "" {
		l.before = ":"
	}
	s := &server{
		store: filepath.Join(a.dir, l.store),
		log:   filepath.Join(a.dir, filepath.Base(l.store)+".log"),
		ended: make(chan struct{}),
	}
	addrFile := filepath.Join(a.dir, filepath.Base(l.store)+".addr")
	os.Remove(addrFile)
	args := append([]string{"-c", l.before + ` && exec "$0" "$@"`}, l.program...)
	args = append(args, "serve", "-l", l.addr, "--store", s.store, "--addr-file", addrFile)
	s.cmd = exec.Command("sh", append(args, l.args...)...)
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Stderr = log
	s.cmd.Env = append(os.Environ(), l.env...)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	for {
		select {
		case <-s.ended:
			text, _ := os.ReadFile(s.log)
			return nil, fmt.Errorf("the server does not run: %v\n%s", s.err, text)
		case <-ctx.Done():
			s.stop(syscall.SIGKILL)
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
		if addr, err := os.ReadFile(addrFile); err == nil {
			s.addr, _, _ = strings.Cut(string(addr), "\n")
			for _, arg := range l.args {
				s.tls = s.tls || arg == "--tls"
			}
			return s, nil
		}
	}
}

// program returns a server that tells what is inside: this program.
func (a *abuse) program(ctx context.Context, race bool) ([]string, error) {
	self, err := os.Executable()
	if err != nil || !race {
		return []string{self, asLabnet}, err
	}
	self = filepath.Join(a.dir, "abuse-race")
	build := exec.CommandContext(ctx, "go", "build", "-race", "-o", self, "github.com/labnet/labnet/bench/abuse")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build with -race: %w\n%s", err, output)
	}
	return []string{self, asLabnet}, nil
}

// stop ends the server by a signal, and returns what became of it.
func (s *server) stop(signal syscall.Signal) error {
	s.cmd.Process.Signal(signal)
	select {
	case <-s.ended:
		return s.err
	case <-time.After(time.Minute):
		s.cmd.Process.Kill()
		<-s.ended
		return errors.Join(errors.New("the server did not stop"), s.err)
	}
}

// dial connects, and encrypts if the server does.
func (s *server) dial(ctx context.Context) (net.Conn, error) {
	nc, err := s.dialPlain(ctx)
	if err != nil || !s.tls {
		return nc, err
	}
	return encrypt(ctx, nc)
}

// encrypt begins TLS. The key of a server that this program has started needs no proof.
func encrypt(ctx context.Context, nc net.Conn) (net.Conn, error) {
	return wire.Encrypt(ctx, nc, &tls.Config{InsecureSkipVerify: true}, 0)
}

func (s *server) dialPlain(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", s.addr)
}

// fingerprint is that of the server's key.
func (s *server) fingerprint(ctx context.Context) (string, error) {
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	nc, err := d.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return "", err
	}
	defer nc.Close()
	key := nc.(*tls.Conn).ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo
	return fmt.Sprintf("sha256:%x", sha256.Sum256(key)), nil
}

// lines counts the lines of the log that hold a text.
func (s *server) lines(holding string) (n int) {
	log, err := os.Open(s.log)
	if err != nil {
		return 0
	}
	defer log.Close()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if strings.Contains(lines.Text(), holding) {
			n++
		}
	}
	return n
}

// failures are those of the program itself, as the log tells them.
func (s *server) failures() error {
	for _, kind := range []string{"DATA RACE", "panic"} {
		if n := s.lines(kind); n > 0 {
			log, _ := os.ReadFile(s.log)
			return fmt.Errorf("%d × %s:\n%s", n, kind, log[:min(len(log), 64<<10)])
		}
	}
	return nil
}

// cpu is the processor time that the server has used.
func (s *server) cpu() time.Duration {
	stat, _ := os.ReadFile(s.proc("stat"))
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func (s *server) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), name)
}

// status is a figure of /proc/PID/status in bytes, such as VmRSS.
func (s *server) status(key string) int64 {
	status, _ := os.ReadFile(s.proc("status"))
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, key+":"); found {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// files is how many files the server has open.
func (s *server) files() int {
	entries, _ := os.ReadDir(s.proc("fd"))
	return len(entries)
}

// threads is how many threads the server has.
func (s *server) threads() int64 { return s.status("Threads") >> 10 }

// An inside is what only the server itself knows.
type inside struct {
	Goroutines int
	Heap       int64 // bytes
}

// insideEnv names the socket at which a server that is this program tells it.
const insideEnv = "LABNET_ABUSE_INSIDE"

// A state is what must be back as it was in the end.
type state struct {
	inside
	threads  int64
	files    int
	resident int64
}

// state asks the server at a socket, and the kernel.
func (s *server) state(socket string, question byte) (st state, err error) {
	nc, err := net.Dial("unix", socket)
	if err != nil {
		return st, err
	}
	defer nc.Close()
	if _, err := nc.Write([]byte{question}); err != nil {
		return st, err
	}
	err = json.NewDecoder(nc).Decode(&st.inside)
	st.threads, st.files, st.resident = s.threads(), s.files(), s.status("VmRSS")
	return st, err
}

// isBack reports whether the server is as one was to which nobody was connected.
func (st state) isBack(before state) bool {
	return st.Goroutines <= before.Goroutines+2 && st.files <= before.files+2 &&
		st.threads <= before.threads+20 && st.Heap <= before.Heap+(8<<20)
}
