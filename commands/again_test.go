package commands

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// A countingListener counts the bytes of its connections, both ways.
type countingListener struct {
	net.Listener
	n    atomic.Int64
	last atomic.Pointer[net.Conn]
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.last.Store(&c)
	}
	return countingConn{c, l}, err
}

// cut ends the last connection.
func (l *countingListener) cut() { (*l.last.Load()).Close() }

type countingConn struct {
	net.Conn
	l *countingListener
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.l.n.Add(int64(n))
	return n, err
}

func (c countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.l.n.Add(int64(n))
	return n, err
}

// serveCounting serves a folder until the test ends, and counts what crosses the wire.
func serveCounting(t *testing.T, folder string, received func(wire.Event)) *countingListener {
	d, err := dir.Open(folder, dir.Options{})
	must(t, err)
	return countStore(t, d, received)
}

// countStore is serveCounting for any store, which it closes.
func countStore(t *testing.T, store storage.Store, received func(wire.Event)) *countingListener {
	l := &countingListener{Listener: silent(t)}
	srv := &wire.Server{Store: asWireStore(store), Received: received}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Shutdown(context.Background())
		<-served
		store.Close()
	})
	return l
}

// receipts are those of a server, which gives them concurrently.
type receipts struct {
	mu   sync.Mutex
	list []wire.Event
}

// add adds one and returns how many there are.
func (r *receipts) add(e wire.Event) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, e)
	return len(r.list)
}

// take returns all since the last time.
func (r *receipts) take() []wire.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// uploadTo runs upload --json, and returns its exit code and what it prints.
func uploadTo(t *testing.T, l net.Listener, args ...string) (int, string) {
	var out strings.Builder
	client := terminal.New(os.Stdin, &out, io.Discard)
	code := run(t.Context(), client, append([]string{"labnet", "upload", "-a", l.Addr().String(), "--json"}, args...))
	return code, out.String()
}

// looksOf tells of everything in a folder when it was changed, and its size and mode.
func looksOf(t *testing.T, folder string) map[string]string {
	all := map[string]string{}
	must(t, filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err == nil && filepath.Base(name) != ".labnet" {
			all[name] = fmt.Sprint(fi.Size(), fi.ModTime(), fi.Mode())
		}
		return err
	}))
	return all
}

// TestSentOnce uploads files twice: the second time no contents cross the wire, the
// server writes none, and new times and permissions are applied.
func TestSentOnce(t *testing.T) {
	for _, test := range []struct {
		what        string
		files, size int
		percent     float64
		flags       []string
	}{
		{what: "small", files: 300, size: 4 << 10, percent: 5},
		{what: "small, SHA-256", files: 3, size: 4 << 10, percent: 10, flags: []string{"--digest", "sha256"}},
		{what: "middle", files: 5, size: 300_000, percent: 1},
		{what: "large", files: 1, size: 20 << 20, percent: 0.01},
		{what: "large, SHA-256", files: 1, size: 20 << 20, percent: 0.01, flags: []string{"--digest", "sha256"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			store := t.TempDir()
			l := serveCounting(t, store, nil)
			folder := filepath.Join(t.TempDir(), "files")
			must(t, os.Mkdir(folder, 0o755))
			name := func(i int) string {
				return filepath.Join(folder, "file number "+string(rune('a'+i/26))+string(rune('a'+i%26)))
			}
			for i := range test.files {
				must(t, os.WriteFile(name(i), bytes.Repeat([]byte{byte(i), byte(i >> 8)}, test.size/2), 0o600))
			}
			upload := func() string {
				code, out := uploadTo(t, l, append(test.flags, folder)...)
				if code != 0 {
					t.Fatalf("exit %d: %s", code, out)
				}
				return out
			}
			upload()
			stored := filepath.Join(store, "files", filepath.Base(name(0)))
			before, err := os.Stat(stored)
			must(t, err)
			changed := time.Unix(1_000_000_000, 5000)
			must(t, os.Chtimes(name(0), changed, changed))
			must(t, os.Chmod(name(0), 0o400))
			sent := l.n.Load()
			out := upload()
			if n := strings.Count(out, `"unchanged":true`); n != test.files {
				t.Errorf("%d of %d files are unchanged: %.2000s", n, test.files, out)
			}
			contents := float64(test.files * test.size)
			if got := float64(l.n.Load()-sent) / contents * 100; got > test.percent {
				t.Errorf("%.2f %% of the contents crossed the wire again, more than %v %%", got, test.percent)
			}
			after, err := os.Stat(stored)
			must(t, err)
			if !os.SameFile(before, after) || !after.ModTime().Equal(changed) || after.Mode().Perm() != 0o400 {
				t.Errorf("the file is now of %v with %v, want %v with 0400; the same: %v", after.ModTime(), after.Mode(), changed, os.SameFile(before, after))
			}
			entries, err := os.ReadDir(filepath.Join(store, "files"))
			must(t, err)
			if len(entries) != test.files {
				t.Errorf("%d files are stored, want %d", len(entries), test.files)
			}
		})
	}
}

// TestSentOnceToObjects is TestSentOnce with an object store, which keeps times and
// permissions as they were.
func TestSentOnceToObjects(t *testing.T) {
	store, _ := openObjects(t)
	l := countStore(t, store, nil)
	folder := filepath.Join(t.TempDir(), "d")
	must(t, os.Mkdir(folder, 0o755))
	for name, size := range map[string]int{"none": 0, "small": 4000, "middle": 300_000, "large": 12 << 20} {
		must(t, os.WriteFile(filepath.Join(folder, name), bytes.Repeat([]byte("x"), size), 0o600))
	}
	if code, out := uploadTo(t, l, "--check", folder); code != 1 || strings.Count(out, `"code":"absent"`) != 4 {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out := uploadTo(t, l, folder); code != 0 || strings.Contains(out, "unchanged\":true") {
		t.Fatalf("exit %d: %s", code, out)
	}
	for _, test := range []struct{ flag, compared string }{{"--", "contents"}, {"--check", "contents"}, {"--quick", "times"}} {
		sent := l.n.Load()
		code, out := uploadTo(t, l, test.flag, folder)
		if code != 0 || strings.Count(out, `"unchanged":true,"compared":"`+test.compared+`"`) != 4 {
			t.Errorf("%s: exit %d: %s", test.flag, code, out)
		}
		if n := l.n.Load() - sent; n > 5000 {
			t.Errorf("%s: %d bytes crossed the wire", test.flag, n)
		}
	}
	must(t, os.WriteFile(filepath.Join(folder, "middle"), bytes.Repeat([]byte("y"), 300_000), 0o600))
	if code, out := uploadTo(t, l, "--check", folder); code != 1 || strings.Count(out, `"code":"different"`) != 1 {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestLostSaved: the connection breaks when a file is published and nobody has been told.
// The client tries again, learns that the file is there, and does not send it again.
func TestLostSaved(t *testing.T) {
	for what, size := range map[string]int{"small": 4 << 10, "middle": 300_000, "large": 3 << 20} {
		t.Run(what, func(t *testing.T) {
			var l *countingListener
			var told receipts
			var sent atomic.Int64
			l = serveCounting(t, t.TempDir(), func(e wire.Event) {
				if told.add(e) == 1 {
					sent.Store(l.n.Load())
					l.cut()
				}
			})
			file := filepath.Join(t.TempDir(), "file")
			must(t, os.WriteFile(file, bytes.Repeat([]byte("contents"), size/8), 0o600))
			code, out := uploadTo(t, l, file)
			if code != 0 || strings.Count(out, `"unchanged":true,"compared":"contents"`) != 1 {
				t.Errorf("exit %d: %s", code, out)
			}
			if receipts := told.take(); len(receipts) != 2 || receipts[0].Unchanged || !receipts[1].Unchanged || receipts[1].Compared != wire.ComparedContents {
				t.Errorf("receipts: %+v", receipts)
			}
			if again := l.n.Load() - sent.Load(); again > 1000 {
				t.Errorf("%d bytes crossed the wire again", again)
			}
		})
	}
}

// TestQuickAndCheck uploads a folder, and then compares it by times only, and only
// compares it.
func TestQuickAndCheck(t *testing.T) {
	var told receipts
	store := t.TempDir()
	l := serveCounting(t, store, func(e wire.Event) { told.add(e) })
	folder := filepath.Join(t.TempDir(), "d")
	must(t, os.MkdirAll(filepath.Join(folder, "empty"), 0o755))
	at := time.Unix(1_000_000_000, 5000)
	put := func(name string, size int, b byte) {
		file := filepath.Join(folder, name)
		must(t, os.WriteFile(file, bytes.Repeat([]byte{b}, size), 0o600))
		must(t, os.Chtimes(file, at, at))
	}
	sizes := map[string]int{"none": 0, "small": 4000, "middle": 300_000, "large": 3 << 20}
	for name, size := range sizes {
		put(name, size, 'a')
	}
	run := func(exit int, compared string, unchanged int, failures map[string]string, args ...string) {
		t.Helper()
		before, sent := looksOf(t, store), l.n.Load()
		code, out := uploadTo(t, l, append(args, folder)...)
		if n := strings.Count(out, `"unchanged":true,"compared":"`+compared+`"`); code != exit || n != unchanged {
			t.Errorf("%q: exit %d, %d unchanged by %s; want %d, %d: %s", args, code, n, compared, exit, unchanged, out)
		}
		for file, why := range failures {
			if !strings.Contains(out, `"op":"compare"`) || !regexp.MustCompile(`"file":"[^"]*`+file+`"[^}]*"code":"`+why+`"`).MatchString(out) {
				t.Errorf("%q: %s is not %s: %s", args, file, why, out)
			}
		}
		if n := strings.Count(out, `"code":"`); n > len(failures)*2 && len(failures) > 0 || len(failures) == 0 && n > 0 {
			t.Errorf("%q: other failures: %s", args, out)
		}
		if n := l.n.Load() - sent; n > 5000 {
			t.Errorf("%q: %d bytes crossed the wire", args, n)
		}
		if diff := cmp.Diff(before, looksOf(t, store)); diff != "" {
			t.Errorf("%q: the store has changed: %s", args, diff)
		}
	}
	missing := map[string]string{"none": "absent", "small": "absent", "middle": "absent", "large": "absent", "empty": "absent"}
	run(1, "contents", 0, missing, "--check")
	run(1, "times", 0, missing, "--check", "--quick")
	code, out := uploadTo(t, l, folder)
	if receipts := told.take(); code != 0 || len(receipts) != 5 {
		t.Fatalf("exit %d, %d receipts: %s", code, len(receipts), out)
	}
	run(0, "contents", 4, nil, "--check")
	run(0, "times", 4, nil, "--check", "--quick")
	if receipts := told.take(); len(receipts) > 0 {
		t.Errorf("receipts of what was only compared: %+v", receipts)
	}
	run(0, "times", 4, nil, "--quick")
	for _, e := range told.take() {
		if e.Unchanged && (e.Compared != wire.ComparedTimes || len(e.Sum) > 0) {
			t.Errorf("receipt %+v", e)
		}
	}
	for name, size := range sizes { // nobody sees it in the times
		if size > 0 {
			put(name, size, 'b')
		}
	}
	run(0, "times", 4, nil, "--check", "--quick")
	run(0, "times", 4, nil, "--quick")
	run(1, "contents", 1, map[string]string{"small": "different", "middle": "different", "large": "different"}, "--check")
	at = at.Add(time.Nanosecond)
	put("small", 4000, 'b')
	put("large", 3<<20, 'a')
	run(1, "times", 2, map[string]string{"small": "different"}, "--check", "--quick")
	if code, out := uploadTo(t, l, "--quick", folder); code != 0 || !strings.Contains(out, `"name":"d/small (2)"`) ||
		strings.Count(out, `"compared":"contents"`) != 1 || strings.Count(out, `"compared":"times"`) != 2 {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestGrown uploads a file that has grown since the last time: its tail crosses the wire,
// and all of it is stored.
func TestGrown(t *testing.T) {
	for what, open := range map[string]func(*testing.T) (storage.Store, func(string) []byte){"folder": openFolder, "objects": openObjects} {
		t.Run(what, func(t *testing.T) {
			store, stored := open(t)
			testGrown(t, countStore(t, store, nil), stored)
		})
	}
}

func testGrown(t *testing.T, l *countingListener, stored func(name string) []byte) {
	file := filepath.Join(t.TempDir(), "a.log")
	contents := func(lines int) []byte { return bytes.Repeat([]byte("a line of sixteen\n"), lines) }
	const lines, more = 330_000, 3000
	for i, want := range []struct {
		lines int
		name  string
		from  int
	}{{lines, "a.log", 0}, {lines + more, "a (2).log", lines}, {lines + 2*more, "a (3).log", lines + more}} {
		data := contents(want.lines)
		must(t, os.WriteFile(file, data, 0o600))
		before := l.n.Load()
		code, out := uploadTo(t, l, file)
		resumed := fmt.Sprintf(`"resumed":%d}`, len(contents(want.from)))
		if code != 0 || !strings.Contains(out, `"name":"`+want.name+`"`) || strings.Contains(out, resumed) != (i > 0) {
			t.Errorf("exit %d: %s", code, out)
		}
		if n := l.n.Load() - before; i > 0 && n > int64(len(contents(more)))+2000 {
			t.Errorf("%d bytes crossed the wire", n)
		}
		if got := stored(want.name); !bytes.Equal(got, data) {
			t.Errorf("%s: %d other bytes", want.name, len(got))
		}
	}
	data := contents(lines + 3*more)
	data[5] = 'X'
	must(t, os.WriteFile(file, data, 0o600))
	if code, out := uploadTo(t, l, file); code != 0 || strings.Contains(out, "resumed") {
		t.Errorf("exit %d: %s", code, out)
	}
	if got := stored("a (4).log"); !bytes.Equal(got, data) {
		t.Errorf("%d other bytes", len(got))
	}
}

// A creatingStore tells of each call of Create.
type creatingStore struct {
	wire.Store
	created chan string
}

func (s creatingStore) Create(ctx context.Context, a wire.Announcement) (wire.Upload, error) {
	s.created <- a.Name
	return s.Store.Create(ctx, a)
}

// TestManyCompared has very many clients announce a file that is large beyond measure, each of
// which the server compares with its own. Others may send all the same, however few calls of the
// store there may be at once.
func TestManyCompared(t *testing.T) {
	const many = 128
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "image"), nil, 0o600))
	if err := os.Truncate(filepath.Join(folder, "image"), 1<<40); err != nil {
		t.Skip("no large file: ", err)
	}
	d, err := dir.Open(folder, dir.Options{})
	must(t, err)
	l := &countingListener{Listener: silent(t)}
	created := make(chan string, many+10)
	srv := &wire.Server{Store: creatingStore{asWireStore(d), created}, Limits: wire.Limits{MaxCalls: 4}}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	defer func() {
		srv.Close()
		<-served
		d.Close()
	}()
	for range many {
		c := dialStore(t, l)
		_, err := c.Announce(t.Context(), wire.Announcement{Name: "image", Size: 1 << 40, Proofs: wire.Proofs()})
		must(t, err)
		must(t, c.Flush(t.Context()))
	}
	for n := range many {
		select {
		case <-created:
		case <-time.After(10 * time.Second):
			t.Fatalf("the store was asked for %d of %d files", n, many)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, bytes.Repeat([]byte("x"), 300_000), 0o600))
	for range 2 {
		if code, out := uploadTo(t, l, file); code != 0 {
			t.Errorf("exit %d: %s", code, out)
		}
	}
}
