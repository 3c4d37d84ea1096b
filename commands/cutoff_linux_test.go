package commands_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

var stops = flag.Int("stops", 2, "how often TestStoppedStream stops each of its 27 pipelines: 12 for more than 300 in all")

// A cutStore keeps nothing, and tells what becomes of each upload.
type cutStore struct {
	begun chan string // its name, once bytes came
	ended chan string // "published" or "dropped"
}

func (s *cutStore) Create(_ context.Context, a wire.Announcement) (wire.Upload, error) {
	return &cutUpload{store: s, name: a.Name}, nil
}
func (s *cutStore) MakeFolder(context.Context, string, []fs.FileMode) error { return nil }
func (s *cutStore) CheckFolder(context.Context, string) error               { return nil }
func (s *cutStore) Err() error                                              { return nil }

type cutUpload struct {
	store *cutStore
	name  string
	got   int64
}

func (u *cutUpload) ReadFrom(r io.Reader) (int64, error) {
	first := u.got == 0
	n, err := io.Copy(io.Discard, r)
	if u.got += n; first && n > 0 {
		u.store.begun <- u.name
	}
	return n, err
}
func (u *cutUpload) Offer() wire.Offer { return wire.Offer{} }
func (u *cutUpload) Restart() error    { return nil }
func (u *cutUpload) Suspend() error    { u.store.ended <- "dropped"; return nil }
func (u *cutUpload) Abort() error      { u.store.ended <- "dropped"; return nil }
func (u *cutUpload) Commit(_ context.Context, want wire.Sum) (wire.Saved, error) {
	u.store.ended <- "published"
	return wire.Saved{Name: u.name, Sum: want}, nil
}

// serveCut serves a cutStore.
func serveCut(t *testing.T) (addr string, s *cutStore) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &cutStore{make(chan string, 64), make(chan string, 64)}
	srv := &wire.Server{Store: s}
	served := make(chan struct{})
	go func() {
		defer close(served)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-served
	})
	return l.Addr().String(), s
}

func awaits(t *testing.T, what string, from <-chan string) string {
	t.Helper()
	select {
	case s := <-from:
		return s
	case <-time.After(patience):
		t.Fatal("waited in vain: " + what)
	}
	panic("unreachable")
}

// TestStoppedStream: a signal to a whole pipeline, such as Ctrl-C sends it, ends
// the program that writes the stream as well, and the end of its output is not
// the end of the stream: it is never published.
func TestStoppedStream(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash not found: ", err)
	}
	addr, store := serveCut(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "large"), 64<<30); err != nil {
		t.Skip("no large file: ", err)
	}
	producers := []string{
		"cat /dev/urandom",
		"(while :; do head -c 3M /dev/urandom; sleep .2; done)",
		"tar cf - " + dir + " 2>/dev/null",
	}
	for _, how := range []string{"group", "terminal", "terminal with progress"} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			for _, producer := range producers {
				name := fmt.Sprintf("%s/%s/%s", how, signal, strings.Fields(strings.Trim(producer, "("))[0])
				t.Run(name, func(t *testing.T) {
					for range *stops {
						model := labnetCommand(t)
						cmd := testCommand(t, bash, "-c", producer+` | "$LABNET" upload --name x -`)
						cmd.Env = append(model.Env, "LABNET="+model.Path, "LABNET_ADDR="+addr)
						var s *terminal
						if how == "group" {
							cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
							if err := cmd.Start(); err != nil {
								t.Fatal(err)
							}
						} else if s = onTerminal(t, cmd, 80); how == "terminal with progress" {
							s.await(t, "progress", func(line string) bool { return strings.HasSuffix(line, "/s") })
						}
						awaits(t, "the beginning of the stream", store.begun)
						if s != nil && signal == syscall.SIGINT {
							s.keyboard.WriteString("\x03")
						} else if err := syscall.Kill(-cmd.Process.Pid, signal); err != nil {
							t.Fatal(err)
						}
						if s != nil {
							s.end(t, cmd)
						} else {
							cmd.Wait()
						}
						if ended := awaits(t, "the end of the stream", store.ended); ended != "dropped" {
							t.Errorf("a stream that %v stopped was %s", signal, ended)
						}
					}
				})
			}
		}
	}
}

// TestStoppedCommand: a signal to upload alone, or to its terminal, ends the command
// of --from-command with all that this has started, and nothing is published.
func TestStoppedCommand(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash not found: ", err)
	}
	addr, store := serveCut(t)
	for _, how := range []string{"process", "terminal"} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			for name, script := range map[string]string{
				"at once":     "exec cat /dev/urandom",
				"descendants": "(while :; do head -c 3M /dev/urandom; sleep .1; done) | cat; sleep 1000",
				"silent":      "head -c 3M /dev/urandom; sleep 1000 & wait",
			} {
				t.Run(fmt.Sprintf("%s/%s/%s", how, signal, name), func(t *testing.T) {
					for range *stops {
						cmd := labnetCommand(t, "upload", "-a", addr, "--name", "x", "--from-command", "--", bash, "-c", "exec 9>alive; "+script)
						alive := filepath.Join(cmd.Dir, "alive")
						if err := syscall.Mkfifo(alive, 0o600); err != nil {
							t.Fatal(err)
						}
						gone := make(chan string, 1)
						go func() {
							f, err := os.Open(alive)
							if err == nil {
								_, err = io.Copy(io.Discard, f) // until nobody has it open
								f.Close()
							}
							gone <- fmt.Sprint(err)
						}()
						var s *terminal
						if how == "terminal" {
							s = onTerminal(t, cmd, 80)
						} else {
							cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
							if err := cmd.Start(); err != nil {
								t.Fatal(err)
							}
						}
						awaits(t, "the beginning of the stream", store.begun)
						if s != nil && signal == syscall.SIGINT {
							s.keyboard.WriteString("\x03")
						} else {
							cmd.Process.Signal(signal)
						}
						if s != nil {
							s.end(t, cmd)
						} else {
							cmd.Wait()
						}
						if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != signal {
							t.Errorf("%v: upload ended with %v", signal, cmd.ProcessState)
						}
						if ended := awaits(t, "the end of the stream", store.ended); ended != "dropped" {
							t.Errorf("the output of a command that %v stopped was %s", signal, ended)
						}
						if err := awaits(t, "the end of the command", gone); err != "<nil>" {
							t.Error(err)
						}
					}
				})
			}
		}
	}
}

// TestStoppedFile: a signal during an upload tells how far it came.
func TestStoppedFile(t *testing.T) {
	addr, store := serveCut(t)
	for _, test := range []struct{ file, want string }{
		{"large", `^labnet: large: stopped at [0-9.]+ [KMG]iB; run it again to continue$`},
		{".", `^labnet: stopped: 0 of 2\+? files saved; run it again to continue$`},
	} {
		cmd := labnetCommand(t, "upload", "-a", addr, test.file)
		for _, name := range []string{"large", "other"} {
			file := filepath.Join(cmd.Dir, name)
			if err := os.WriteFile(file, nil, 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(file, 64<<30); err != nil {
				t.Skip("no large file: ", err)
			}
		}
		s := onTerminal(t, cmd, 80)
		s.await(t, "progress", func(line string) bool { return strings.Contains(line, "/s") })
		awaits(t, "the beginning of the file", store.begun)
		cmd.Process.Signal(syscall.SIGINT)
		screen := strings.Join(s.end(t, cmd), "\n")
		awaits(t, "its end", store.ended)
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGINT || !regexp.MustCompile(test.want).MatchString(screen) {
			t.Errorf("%s: %v: %s", test.file, cmd.ProcessState, screen)
		}
	}
}

// TestStoppedText: the same for texts. Lines that were complete are said, and what
// a signal cut off is not.
func TestStoppedText(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash not found: ", err)
	}
	addr, received := startServe(t, "--json")
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		for range *stops {
			model := labnetCommand(t)
			cmd := testCommand(t, bash, "-c", `tail -f text | "$LABNET" say -`)
			cmd.Env = append(model.Env, "LABNET="+model.Path, "LABNET_ADDR="+addr)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := os.WriteFile(filepath.Join(cmd.Dir, "text"), []byte("whole\nhalf"), 0o666); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if got := nextLine(t, received); !strings.Contains(got, `"whole"`) {
				t.Errorf("received %s", got)
			}
			if err := syscall.Kill(-cmd.Process.Pid, signal); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
		}
	}
	run(t, labnetCommand(t, "say", "-a", addr, "end"))
	if got := nextLine(t, received); !strings.Contains(got, `"end"`) {
		t.Errorf("received %s", got)
	}
}
