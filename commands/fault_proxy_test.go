package commands_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/commands"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

// TestFaults uploads a folder through a network that does what networks do.
// Each fault meets one client that does not try again, and one that does and so
// finishes by itself, unless a flipped bit broke the protocol, which is final.
// Whatever becomes of the connection, a client says "done" only of files that
// are at the server as they were, says of the others in a line what failed, and
// nothing torn has a name.
func TestFaults(t *testing.T) {
	folder := t.TempDir()
	sizes := map[string]int{"1 empty": 0, "2 small": 1000, "3 large": 3_000_000, "4 below/5 deep": 70_000}
	var total int64
	originals := map[[sha256.Size]byte]bool{}
	for name, size := range sizes {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		randomFile(t, file, size)
		originals[sha256.Sum256(readFile(t, file))] = true
		total += int64(size)
	}
	store := storagetest.MemoryDir(t)
	addr, _ := startServe(t, "--store", store)

	t.Run("faults", func(t *testing.T) {
		for i, test := range faultyNetworks(total) {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				upload := func(name string, mustSucceed bool, flags ...string) {
					p := startProxy(t, addr, test.plan)
					cmd := labnetCommand(t, append([]string{"upload", "-a", p.addr, "--json", "--name", name, folder}, flags...)...)
					uploadThroughFaults(t, cmd, store, mustSucceed)
				}
				if test.harmless {
					upload(fmt.Sprint(i), true)
					return
				}
				// With a short timeout a stall is a failure, not a wait.
				upload(fmt.Sprint(i), false, "--timeout", "500ms", "--retries", "0")
				upload(fmt.Sprint(i, " again"), test.plan.toServer.do != flip, "--timeout", "2s", "--retries", "8")
			})
		}
	})

	if err := visibleFiles(store, func(name string, contents []byte) {
		if !originals[sha256.Sum256(contents)] {
			t.Errorf("%s: %d bytes that nobody sent", name, len(contents))
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// A faultyNetwork is one case of TestFaults. A harmless one loses nothing, so
// that every upload must succeed.
type faultyNetwork struct {
	name     string
	plan     plan
	harmless bool
}

// faultyNetworks lists the cases for uploads of so many bytes in all.
func faultyNetworks(total int64) []faultyNetwork {
	const replies = 400 // about the bytes of all of them
	networks := []faultyNetwork{
		{"nothing", plan{}, true},
		{"tiny pieces to the server", plan{toServer: fault{piece: 701}}, true},
		{"single bytes to the client", plan{toClient: fault{piece: 1}}, true},
		{"slow to the server", plan{toServer: fault{delay: time.Millisecond}}, true},
		{"slow single bytes to the client", plan{toClient: fault{piece: 1, delay: time.Millisecond}}, true},
	}
	random := rand.New(rand.NewPCG(1, 2))
	positions := func(n int64) []int64 { // where things begin, in the middle, and anywhere
		return []int64{0, 1, 3, 40, n / 2, n - 30, random.Int64N(n), random.Int64N(n)}
	}
	for _, ending := range []struct {
		do   action
		word string
	}{{reset, "reset"}, {stall, "stall"}, {halfClose, "end"}} {
		for _, at := range positions(total) {
			name := fmt.Sprintf("%s after %d bytes to the server", ending.word, at)
			networks = append(networks, faultyNetwork{name, plan{toServer: fault{do: ending.do, at: at}}, false})
		}
		for _, at := range positions(replies) {
			name := fmt.Sprintf("%s after %d bytes to the client", ending.word, at)
			networks = append(networks, faultyNetwork{name, plan{toClient: fault{do: ending.do, at: at}}, false})
		}
	}
	for range 10 {
		at, bit := random.Int64N(total), random.UintN(8)
		name := fmt.Sprintf("bit %d of byte %d flipped", bit, at)
		networks = append(networks, faultyNetwork{name, plan{toServer: fault{do: flip, at: at, bit: bit}}, false})
	}
	return networks
}

// uploadThroughFaults runs an upload of a folder with --json and compares what
// it says with what the store has.
func uploadThroughFaults(t *testing.T, cmd *exec.Cmd, store string, mustSucceed bool) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	overdue := time.AfterFunc(2*patience, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	stdout, err := cmd.Output()

	code := cmd.ProcessState.ExitCode()
	told := stderr.String()
	switch {
	case code == 0 && !strings.Contains(told, "labnet: error: "):
	case mustSucceed || code != 1 && code != 3:
		t.Errorf("exit %d, %v:\n%s", code, err, told)
	case !strings.Contains(told, "labnet: error: "):
		t.Errorf("exit %d without a word of why: %q", code, told)
	}
	for line := range strings.Lines(told) {
		if !strings.HasPrefix(line, "labnet: ") {
			t.Errorf("not a line for people: %q", line)
		}
	}

	for line := range bytes.Lines(stdout) {
		var done struct{ Op, File, Name, Error string }
		if err := json.Unmarshal(line, &done); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if done.Op == "upload" && done.Error == "" {
			sameFiles(t, done.File, filepath.Join(store, filepath.FromSlash(done.Name)))
		}
	}
}

// visibleFiles calls see with every file of a store that has a name.
func visibleFiles(store string, see func(name string, contents []byte)) error {
	return filepath.WalkDir(store, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".labnet":
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		os.Chmod(file, 0o600) // a flipped bit may have made it unreadable
		contents, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(store, file)
		see(filepath.ToSlash(name), contents)
		return err
	})
}

// A flipped connection is one on which one bit that is written arrives as
// another. A negative bit is none.
type flipped struct {
	net.Conn
	bit     int
	written []byte // what should have arrived
}

func (c *flipped) Write(b []byte) (int, error) {
	at := c.bit - 8*len(c.written)
	c.written = append(c.written, b...)
	if 0 <= at && at < 8*len(b) {
		b = bytes.Clone(b)
		b[at/8] ^= 1 << (at % 8)
	}
	return c.Conn.Write(b)
}

// A bitTest uploads one file again and again, each time with another bit
// flipped.
type bitTest struct {
	announce wire.Announcement
	contents []byte
	folder   string
	store    storage.Store
}

// An outcome is what both sides made of one conversation.
type outcome struct {
	told           wire.Saved // by the client
	err            error
	published      string // by the server; "" if nothing
	sent, answered []byte // before a bit was flipped
}

// upload holds a whole conversation, in a bubble in which no wait takes time: a
// flipped length makes one side wait for bytes that the other never sends.
func (b *bitTest) upload(t *testing.T, toServer, toClient int) (o outcome) {
	synctest.Test(t, func(t *testing.T) {
		var near, far flipped
		near.Conn, far.Conn = net.Pipe()
		near.bit, far.bit = toServer, toClient
		var receiving sync.Mutex
		srv := &wire.Server{
			Store: commands.Keeper(b.store),
			Received: func(e wire.Event) {
				receiving.Lock()
				defer receiving.Unlock()
				o.published = e.Name
			},
		}
		var serving sync.WaitGroup
		l := &pipeListener{conns: make(chan net.Conn, 1)}
		l.conns <- &far
		serving.Go(func() { srv.Serve(l) })

		client := wire.NewClient(&near, 0)
		o.told, o.err = client.Upload(t.Context(), b.announce, bytes.NewReader(b.contents))
		client.Close()
		synctest.Wait() // or the server, seeing both at once, says at times that it is going down
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		serving.Wait()
		o.sent, o.answered = near.written, far.written
	})
	return o
}

// A pipeListener accepts the connections that it is given.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	if c, open := <-l.conns; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.conns) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// serverMade matches a name that the server makes for a blob.
var serverMade = regexp.MustCompile(`^[A-Za-z0-9]{8}\.bin$`)

// check holds an outcome against the store, which it empties.
//
// The digest guards the contents; nothing guards a name, a time or a mode, so
// that a bit flipped in those makes others of them, which the server tells the
// client in good faith. What must hold is that no contents but the original
// ever have a name, and that a client is told "saved" only if they have one.
// That name is the one it was told, unless the bit was flipped on its way back.
//
// One bit makes a Data of a String. What the client announced, or sends of the
// file, can so become a blob, which needs no END; it has a name of the server's
// making, and the client takes no blob's OK for its file's SAVED.
func (b *bitTest) check(t *testing.T, o outcome, nameIntact bool) {
	t.Helper()
	kept := map[string]bool{}
	err := visibleFiles(b.folder, func(name string, contents []byte) {
		kept[name] = bytes.Equal(contents, b.contents)
		blob := serverMade.MatchString(name) && bytes.Contains(o.sent, contents)
		if !kept[name] && !blob {
			t.Errorf("%q holds %q", name, contents)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.err == nil && !kept[o.published] {
		t.Errorf("saved, says the client, but the server has %v and published %q", kept, o.published)
	}
	if sum := b.announce.Digest.New(); o.err == nil {
		sum.Write(b.contents)
		if !bytes.Equal(o.told.Digest, sum.Sum(nil)) || o.told.Size != int64(len(b.contents)) {
			t.Errorf("the client takes %d bytes, digest %s, for its own", o.told.Size, o.told.Hex())
		}
	}
	if o.err == nil && nameIntact && o.told.Name != o.published {
		t.Errorf("saved as %q, says the client, but it is %q", o.told.Name, o.published)
	}
	for name := range kept {
		top, _, _ := strings.Cut(name, "/")
		if err := os.RemoveAll(filepath.Join(b.folder, top)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFlippedBits flips every single bit of some conversations, some 10,000 in
// all: none is accepted.
func TestFlippedBits(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 17 // prime to 8, so that every bit of a byte has its turn
	}
	modified := time.Date(2024, 11, 22, 13, 18, 0, 123456789, time.UTC)
	crc64nvme, _ := wire.DigestByName("crc64nvme")
	sha256, _ := wire.DigestByName("sha256")
	contents := []byte(strings.Repeat("the contents of a file, and more of them. ", 8))
	tests := map[string]wire.Announcement{
		"plain":  {Name: "report.pdf", Size: int64(len(contents)), ModTime: modified, Mode: 0o640, Digest: crc64nvme},
		"sha256": {Name: "photos/2024/cat.jpg", Size: int64(len(contents)), Digest: sha256},
		"stream": {Name: "shop.sql", Size: -1, Digest: crc64nvme},
	}
	for name, announce := range tests {
		t.Run(name, func(t *testing.T) {
			folder := storagetest.MemoryDir(t)
			store, err := dir.Open(folder, dir.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			b := &bitTest{announce, contents, folder, store}
			whole := b.upload(t, -1, -1)
			if whole.err != nil || whole.told.Name != announce.Name {
				t.Fatalf("without a fault: %+v, %v", whole.told, whole.err)
			}
			b.check(t, whole, true)

			flips, refused, believed := 0, 0, 0
			count := func(o outcome) {
				flips++
				if o.err == nil {
					believed++
				}
				if _, ok := errors.AsType[*wire.Error](o.err); ok {
					refused++
				}
				if t.Failed() {
					t.FailNow()
				}
			}
			for bit := 0; bit < 8*len(whole.sent); bit += step {
				o := b.upload(t, bit, -1)
				b.check(t, o, true)
				count(o)
			}
			for bit := 0; bit < 8*len(whole.answered); bit += step {
				o := b.upload(t, -1, bit)
				b.check(t, o, false)
				count(o)
			}
			t.Logf("%d bits flipped: the server refused %d uploads, the client was told of %d that they are saved, and they are", flips, refused, believed)
		})
	}
}
