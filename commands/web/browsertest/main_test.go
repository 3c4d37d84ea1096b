// Package browsertest tests the page, and what pages of others can do, with a real browser
// and the real server. Run it with -count 1: go test does not see that labnet has changed.
package browsertest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"
)

// patience bounds every wait: it is never reached when all is well.
const patience = 60 * time.Second

var (
	program string       // labnet
	browser *rod.Browser // nil without Chromium
)

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "labnet")
	check(err)
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "labnet")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "..")
	build.Stderr = os.Stderr
	check(build.Run())

	// Every name means this machine, as a hostile name server could have it.
	start := launcher.New().Bin(chromium).UserDataDir(filepath.Join(dir, "profile")).NoSandbox(os.Getuid() == 0).
		Set("host-resolver-rules", "MAP *.example 127.0.0.1, MAP lab.example.org 127.0.0.1")
	browser = rod.New().ControlURL(start.MustLaunch()).MustConnect().MustIgnoreCertErrors(true)
	defer start.Cleanup()
	defer browser.MustClose()
	return m.Run()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A server is labnet serve, whose store outlives it, at the end of a link.
type server struct {
	t      *testing.T
	dir    string
	addr   string
	link   *link
	args   []string
	cmd    *exec.Cmd
	events output // by --json
	log    output
}

// output is what a program has written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// serve starts a server.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := newServer(t, args...)
	s.start()
	return s
}

// serveInvited starts one that wants a token, and returns what labnet invite prints for
// alice.
func serveInvited(t *testing.T) (s *server, invitation string) {
	t.Helper()
	s = newServer(t, "--tls", "--tokens", filepath.Join("received", ".labnet", "access", "tokens"))
	return s, s.invite("alice")
}

// invite invites a user and starts the server, and returns what is printed.
func (s *server) invite(name string) string {
	s.t.Helper()
	out, err := s.labnet("invite", name, "--at", s.link.addr).Output()
	must(s.t, err)
	s.start()
	return string(out)
}

func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	if browser == nil {
		t.Skip("needs chromium")
	}
	s := &server{t: t, dir: t.TempDir(), addr: freeAddr(t), args: args}
	s.link = lay(t, "127.0.0.1:0", s.addr)
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log.String())
		}
	})
	return s
}

// freeAddr returns an address that a server can have again after a restart.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func (s *server) start() {
	s.t.Helper()
	ready := filepath.Join(s.dir, "addr")
	os.Remove(ready)
	s.cmd = s.labnet(append([]string{"serve", "-l", s.addr, "--addr-file", ready, "--json"}, s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.events, &s.log
	must(s.t, s.cmd.Start())
	s.await("the server", func() bool {
		_, err := os.Stat(ready)
		return err == nil
	})
}

// kill ends the server as a failure of the machine would.
func (s *server) kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	}
}

func (s *server) labnet(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Dir = s.dir
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "LABNET_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	return cmd
}

func (s *server) await(what string, is func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s: not in time", what)
		}
	}
}

// wantFile compares a file in the store.
func (s *server) wantFile(name string, want []byte) {
	s.t.Helper()
	got, err := os.ReadFile(filepath.Join(s.dir, "received", name))
	if err != nil || !bytes.Equal(got, want) {
		s.t.Errorf("%s: %v, %d bytes, want %d", name, err, len(got), len(want))
	}
}

// A tab shows a page.
type tab struct {
	*rod.Page
	s *server
}

// open opens a page of a server, in a profile of its own. The path may have a fragment.
func (s *server) open(path string) tab {
	s.t.Helper()
	t := s.blank()
	t.MustNavigate(s.url() + path).MustWaitLoad()
	return t
}

func (s *server) url() string {
	for _, arg := range s.args {
		if arg == "--tls" {
			return "https://" + s.link.addr
		}
	}
	return "http://" + s.link.addr
}

func (s *server) blank() tab {
	fail := func(v any) { s.t.Helper(); s.t.Fatal(v) }
	page := browser.MustIncognito().MustPage().Timeout(patience).WithPanic(fail)
	s.t.Cleanup(func() {
		if s.t.Failed() {
			if text, err := page.Eval(`() => document.body.innerText`); err == nil {
				s.t.Logf("the page says:\n%.3000s", text.Value)
			}
		}
		page.CancelTimeout().Close()
	})
	return tab{page, s}
}

// drop drops files and folders on the page.
func (t tab) drop(paths ...string) {
	t.s.t.Helper()
	data := &proto.InputDragData{Items: []*proto.InputDragDataItem{}, Files: paths, DragOperationsMask: 1}
	for _, kind := range []proto.InputDispatchDragEventType{"dragEnter", "dragOver", "drop"} {
		must(t.s.t, proto.InputDispatchDragEvent{Type: kind, X: 100, Y: 100, Data: data}.Call(t))
	}
}

// choose chooses files in the dialog of a button.
func (t tab) choose(paths ...string) { t.MustElement(`input[name=file]`).MustSetFiles(paths...) }

// press presses keys.
func (t tab) press(keys ...string) {
	text := map[string]string{"Enter": "\r"}
	code := map[string]int{"Tab": 9, "Enter": 13}
	for _, key := range keys {
		for _, kind := range []proto.InputDispatchKeyEventType{"keyDown", "keyUp"} {
			must(t.s.t, proto.InputDispatchKeyEvent{Type: kind, Key: key, Code: key, Text: text[key], WindowsVirtualKeyCode: code[key]}.Call(t))
		}
	}
}

// says waits until an element has a text.
func (t tab) says(selector, text string) {
	t.s.t.Helper()
	var got string
	for end := time.Now().Add(patience); !strings.Contains(got, text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.s.t.Fatalf("%s says %q, want %q", selector, got, text)
		}
		got = t.MustEval(`s => Array.from(document.querySelectorAll(s), e => e.innerText).join('\n')`, selector).Str()
	}
}

// progress waits until a part of the only file has been sent.
func (t tab) progress(part float64) {
	t.s.t.Helper()
	t.s.await(fmt.Sprint("progress ", part), func() bool {
		return t.MustEval(`() => document.querySelector('progress')?.value || 0`).Num() >= part
	})
}

// write makes a file, and returns its path.
func write(t *testing.T, dir, name string, contents []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, contents, 0o644))
	return path
}
