//go:build unix

package commands_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// kills is small so that all tests stay quick. For a hundred of each:
//
//	go test ./commands/ -run TestKill -v -kills 100
var kills = flag.Int("kills", 8, "how often TestKill kills the server, and how often the client")

// A program is labnet as a process that can be killed.
type program struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer // to be read after its end, as is stderr
	stderr bytes.Buffer
	once   sync.Once
	err    error
}

// launch starts labnet. It is killed with the test at the latest.
func launch(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{cmd: cmd}
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		p.wait()
		if bytes.Contains(p.stderr.Bytes(), []byte("DATA RACE")) {
			t.Error("a data race")
		}
		if t.Failed() {
			t.Logf("stderr of %s:\n%s", cmd.Args[1:], &p.stderr)
		}
	})
	return p
}

// launchServe starts a server on a store and returns its address too.
func launchServe(t *testing.T, store string, args ...string) (*program, string) {
	t.Helper()
	addrFile := filepath.Join(t.TempDir(), "addr")
	args = append([]string{"serve", "-l", "127.0.0.1:0", "--addr-file", addrFile, "--store", store}, args...)
	return launch(t, labnetCommand(t, args...)), awaitFile(t, addrFile)
}

// kill is kill -9: the program learns nothing of it.
func (p *program) kill() { p.cmd.Process.Kill() }

// wait waits for the end of the program, and returns what became of it.
func (p *program) wait() error {
	p.once.Do(func() {
		overdue := time.AfterFunc(2*patience, p.kill)
		defer overdue.Stop()
		p.err = p.cmd.Wait()
	})
	return p.err
}

// TestKill kills the server, and the client, at any byte of an upload of one
// file, or of many that are under way at once: nothing torn has a name
// afterwards, what the client called saved is there, and all arrives after all.
// So it is with files that are there already, of which hardly anything is sent, or have
// grown since.
func TestKill(t *testing.T) {
	testKill(t, *kills, func(t *testing.T) place {
		folder := filepath.Join(t.TempDir(), "store")
		return place{folder, folder}
	})
}

// A place is what a server is told to keep things in, and the folder where they
// can be seen.
type place struct{ store, folder string }

// testKill does that with servers in new places.
func testKill(t *testing.T, rounds int, newPlace func(*testing.T) place) {
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "f"), filepath.Join(dir, "folder")
	contents := map[string][]byte{}
	create := func(name string, size int) {
		randomFile(t, filepath.Join(dir, name), size)
		contents[name] = readFile(t, filepath.Join(dir, name))
	}
	create("f", 64<<20)
	create("log", 20<<20)
	start := filepath.Join(dir, "start")
	must(t, os.WriteFile(start, contents["log"][:19<<20], 0o600))
	for i := range 200 {
		name := filepath.Join("folder", fmt.Sprint(i%3), fmt.Sprint(i))
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o777))
		create(name, i*i*i%40_000)
	}
	files := maps.Clone(contents)
	maps.DeleteFunc(files, func(name string, _ []byte) bool { return !strings.HasPrefix(name, "folder") })
	log := contents["log"]
	if testing.Short() {
		rounds = min(rounds, 4)
	}
	again := max(rounds/2, 4)
	for _, test := range []struct {
		what   string
		rounds int
		interrupted
	}{
		{"file", rounds, interrupted{path: file, want: map[string][]byte{"f": contents["f"]}}},
		{"folder", rounds, interrupted{path: folder, want: files}},
		{"file again", again, interrupted{before: []string{filepath.Join(dir, "log")}, path: filepath.Join(dir, "log"), want: map[string][]byte{"log": log}}},
		{"folder again", again, interrupted{before: []string{folder}, path: folder, want: files}},
		{"grown file", again, interrupted{before: []string{"--name", "log", start}, path: filepath.Join(dir, "log"), want: map[string][]byte{"log": log[:19<<20], "log (2)": log}}},
	} {
		u := test.interrupted
		u.place = newPlace(t)
		_, addr := u.serve(t)
		whole := startProxy(t, addr)
		run(t, labnetCommand(t, "upload", "-a", whole.addr, u.path))
		toServer, toClient := whole.toServer.Load(), whole.toClient.Load()

		for _, victim := range []string{"server", "client"} {
			for round := range test.rounds {
				random := rand.New(rand.NewPCG(3, uint64(round)))
				var at plan
				switch round % 4 {
				default: // while contents come, or what takes their place
					from := int64(0)
					if len(test.want) == 1 && test.before != nil { // the announcement is most of all
						from = toServer * 2 / 3
					}
					at.toServer = fault{do: call, at: from + random.Int64N(toServer-from)}
				case 2: // once all has come, while it is made safe
					at.toServer = fault{do: call, at: toServer}
				case 3: // while the answers go
					at.toClient = fault{do: call, at: random.Int64N(toClient*9/10 + 1)}
				}
				if test.what == "folder again" { // all may be told before the first answer, which is not tried again
					at = plan{toClient: fault{do: call, at: 100 + random.Int64N(toClient*9/10-100)}}
				}
				name := fmt.Sprintf("%s, %s at byte %d of requests, %d of replies", test.what, victim, at.toServer.at, at.toClient.at)
				t.Run(name, func(t *testing.T) {
					u := test.interrupted
					u.place, u.undisturbed = newPlace(t), toServer
					u.run(t, victim, at)
				})
			}
		}
	}
}

// An interrupted upload is one during which one side is killed.
type interrupted struct {
	before []string // arguments of an upload before it; nil if there is none
	path   string
	want   map[string][]byte // what is to be kept, by name
	place
	undisturbed int64 // how many bytes it sends if nothing is killed
	proxy       *proxy
	client      *program
}

// serve starts a server that has what was uploaded before.
func (u *interrupted) serve(t *testing.T) (*program, string) {
	server, addr := launchServe(t, u.store)
	if u.before != nil {
		run(t, labnetCommand(t, append([]string{"upload", "-a", addr}, u.before...)...))
	}
	return server, addr
}

// run kills one side when the upload meets a call of the plan.
func (u *interrupted) run(t *testing.T, victim string, at plan) {
	server, addr := u.serve(t)

	reached, killed := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(killed) })
	defer release()
	stop := func() {
		close(reached)
		<-killed // nothing more is forwarded before
	}
	at.toServer.run, at.toClient.run = stop, stop
	u.proxy = startProxy(t, addr, at)
	u.client = launch(t, labnetCommand(t, "upload", "-a", u.proxy.addr, u.path))
	select {
	case <-reached:
	case <-time.After(patience):
		t.Fatalf("only %d bytes went to the server and %d to the client", u.proxy.toServer.Load(), u.proxy.toClient.Load())
	}

	if victim == "server" {
		server.kill()
		server.wait()
		u.copies(t)
		_, addr = launchServe(t, u.store)
		u.proxy.retarget(addr)
	} else {
		u.client.kill()
		u.client.wait()
	}
	release()
	u.copies(t)
	result := u.finish(t, victim)
	switch {
	case u.before != nil:
		limit := 2*u.undisturbed + 10_000
		if victim == "server" && len(u.want) == 2 {
			limit += int64(len(u.want["log"])) // of which it had copied some, and goes on with that
		}
		if n := u.proxy.toServer.Load(); n > limit {
			t.Errorf("%d bytes crossed the wire, more than %d", n, limit)
		}
	case len(u.want) == 1:
		u.expectFewSentTwice(t, result)
	}
	if names := u.copies(t); len(names) != len(u.want) {
		t.Errorf("the server keeps %q", names)
	}
}

// finish has all arrive after all: a client that lost its server goes on
// by itself, and one that was killed is started again. It returns the result.
func (u *interrupted) finish(t *testing.T, victim string) string {
	t.Helper()
	if victim == "client" {
		return run(t, labnetCommand(t, "upload", "-a", u.proxy.addr, u.path))
	}
	if err := u.client.wait(); err != nil {
		t.Errorf("the client did not finish by itself: %v", err)
	}
	return u.client.stdout.String()
}

// expectFewSentTwice bounds what crosses the network again: what the kernel
// and the server had not yet given to the disk, or, if the file was already
// published and only the answer was lost, everything.
func (u *interrupted) expectFewSentTwice(t *testing.T, result string) {
	t.Helper()
	size := int64(len(u.want["f"]))
	twice := u.proxy.toServer.Load() - size
	limit := size * 3 / 4 // the buffers of sockets alone may hold 36 MiB on Linux
	if u.store != u.folder {
		limit += 40 << 20 // and a server as many parts, of which the object store has not yet all
	}
	if strings.Contains(result, "unchanged") {
		limit += size
	}
	t.Logf("%d KiB sent twice", twice>>10)
	if twice > limit {
		t.Errorf("%d bytes sent twice, more than %d", twice, limit)
	}
}

// copies lists the visible files of the store, each of which must be a copy of
// what was sent under that name.
func (u *interrupted) copies(t *testing.T) (names []string) {
	t.Helper()
	if err := visibleFiles(u.folder, func(name string, contents []byte) {
		names = append(names, name)
		if want, sent := u.want[name]; !sent || !bytes.Equal(contents, want) {
			t.Errorf("%s is torn: %d bytes", name, len(contents))
		}
	}); err != nil && (u.store == u.folder || !errors.Is(err, fs.ErrNotExist)) { // of an object store, it may not be there yet
		t.Error(err)
	}
	return names
}
