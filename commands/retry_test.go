package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/uploader"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

// A machine is a server's, which may go down, within a bubble.
type machine struct {
	store wire.Store
	// accepted, if not nil, is what becomes of connections in place of a server.
	accepted func(net.Conn)
	refusal  error // of every file

	mu      sync.Mutex
	down    bool
	dialled int
	open    []net.Conn
	conns   chan net.Conn
	server  *wire.Server
	serving sync.WaitGroup
}

// up starts the machine again.
func (m *machine) up() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down, m.conns = false, make(chan net.Conn, 1)
	m.server = &wire.Server{Store: m.store}
	l := &pipes{conns: m.conns, closed: make(chan struct{})}
	m.serving.Go(func() { m.server.Serve(l) })
}

// crash takes it down at once.
func (m *machine) crash() {
	m.mu.Lock()
	m.down = true
	for _, c := range m.open {
		c.Close()
	}
	m.open = nil
	server := m.server
	m.mu.Unlock()
	server.Close() // waits for what it is doing
}

func (m *machine) isUp() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.down
}

func (m *machine) dial(context.Context) (net.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dialled++
	if m.down {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	near, far := net.Pipe()
	near = resettable{near}
	if m.accepted != nil {
		near = halfClosing{near}
	}
	m.open = append(m.open, near)
	if m.accepted != nil {
		go m.accepted(far)
	} else {
		m.conns <- piped{far}
	}
	return near, nil
}

type pipes struct {
	conns  <-chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A resettable connection fails as others do once it is closed at the other side.
type resettable struct{ net.Conn }

func (c resettable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, reset(err)
}

func (c resettable) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, reset(err)
}

func reset(err error) error {
	if err == io.ErrClosedPipe {
		return &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	return err
}

// A halfClosing connection lets the other side end it.
type halfClosing struct{ net.Conn }

func (halfClosing) CloseWrite() error { return nil }

type piped struct{ net.Conn }

func (piped) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// retrying returns an uploader to a machine, and what it prints.
func retrying(m *machine, r client.Retrier) (*uploader.Uploader, *bytes.Buffer, *bytes.Buffer) {
	var out, told bytes.Buffer
	return &uploader.Uploader{
		Con:     terminal.New(os.Stdin, &out, &told),
		Session: client.Session{Options: client.Options{Addr: "nas:9000", Transport: m.dial, Timeout: time.Minute}},
		Options: uploader.Options{Digest: wire.Digests()[0], Retrier: r},
	}, &out, &told
}

// smallFiles makes a folder of so many files.
func smallFiles(t *testing.T, n int) string {
	dir := filepath.Join(t.TempDir(), "d")
	must(t, os.Mkdir(dir, 0o777))
	for i := range n {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d", i)), []byte("contents"), 0o666))
	}
	return dir
}

// defaults is how upload tries again without flags.
var defaults = client.Retrier{Limit: client.DefaultRetryFor}

// TestRetriesOutlastReboot: without flags an upload waits for a server that reboots
// in the middle, and says so a few times, or not at all with --quiet.
func TestRetriesOutlastReboot(t *testing.T) {
	const files = 40
	for _, quiet := range []bool{false, true} {
		dir := smallFiles(t, files)
		synctest.Test(t, func(t *testing.T) {
			store := storagetest.NewMemory()
			m := &machine{store: keeper{store}}
			var published atomic.Int64
			store.Fault = func(step string) error {
				if step != storagetest.Publish {
					return nil
				}
				if published.Add(1) == files/2 {
					go func() {
						m.crash()
						time.Sleep(4*time.Minute + 30*time.Second)
						m.up()
					}()
				}
				return nil
			}
			m.up()
			u, _, told := retrying(m, defaults)
			u.Con.Quiet = quiet
			if err := u.Upload(t.Context(), []string{dir}); err != nil {
				t.Errorf("%v\n%s", err, told)
			}
			u.Close()
			m.crash()
			m.serving.Wait()
			if n := len(store.Files()); n != files {
				t.Errorf("%d files kept", n)
			}
			lines := strings.Split(strings.TrimSuffix(told.String(), "\n"), "\n")
			if quiet {
				if told.Len() > 0 {
					t.Errorf("told in spite of --quiet:\n%s", told)
				}
				return
			}
			if total := lines[len(lines)-1]; !strings.HasPrefix(total, fmt.Sprintf("labnet: %d files, ", files)) {
				t.Errorf("told at the end: %q", total)
			}
			lines = lines[:len(lines)-1]
			if len(lines) != 3 || !strings.HasPrefix(lines[0], "labnet: lost nas:9000: ") || !strings.HasSuffix(lines[0], "; trying again for up to 5m") {
				t.Errorf("told:\n%s", told)
			}
			for _, line := range lines[1:] {
				if !strings.HasPrefix(line, "labnet: connect nas:9000: connection refused; still trying, for up to ") {
					t.Errorf("told %q", line)
				}
			}
		})
	}
}

// TestRetriesEnd: a server that stays away is given up in time, once for all files.
func TestRetriesEnd(t *testing.T) {
	for _, test := range []struct {
		client.Retrier
		after, until time.Duration
		tries        int // 0: any number
		says         string
	}{
		{defaults, 5 * time.Minute, 5*time.Minute + time.Second, 0, "; gave up after 5m"},
		{client.Retrier{Limit: time.Hour}, time.Hour, time.Hour + time.Second, 0, "; gave up after 1h"},
		{client.Retrier{Limit: time.Hour, Max: 3, Capped: true}, 0, 2 * time.Second, 4, "; gave up after "},
		{client.Retrier{Limit: time.Hour, Max: 0, Capped: true}, 0, time.Second, 1, ""},
	} {
		dir := smallFiles(t, 20)
		synctest.Test(t, func(t *testing.T) {
			m := &machine{store: keeper{storagetest.NewMemory()}}
			m.up()
			u, _, told := retrying(m, test.Retrier)
			must(t, u.SendAll(t.Context(), u.Items([]string{filepath.Join(dir, "000")}))) // it was reached
			m.mu.Lock()
			m.dialled = 0
			m.mu.Unlock()
			m.crash()
			begun := time.Now()
			err := u.Upload(t.Context(), []string{dir})
			took := time.Since(begun)
			if _, gone := errors.AsType[*client.UnreachableError](err); !gone && test.tries != 1 {
				t.Errorf("%v", err)
			}
			if took < test.after || took > test.until {
				t.Errorf("%+v: given up after %s", test, took)
			}
			if test.tries > 0 && m.dialled > test.tries {
				t.Errorf("%+v: tried %d times", test, m.dialled)
			}
			told.Reset()
			u.Con.End(err)
			if text := told.String(); !strings.Contains(text, test.says) || !strings.HasSuffix(text, "labnet: hint: run it again to continue\n") {
				t.Errorf("told at the end:\n%s", text)
			}
			u.Close()
			m.serving.Wait()
		})
	}
}

// TestServerThatSaysNothing: what closes every connection at once, as a forwarder in
// front of no server does, is not waited for; after a server was there, it is waited
// for once and not once for each file.
func TestServerThatSaysNothing(t *testing.T) {
	for _, before := range []bool{false, true} {
		dir := smallFiles(t, 100)
		synctest.Test(t, func(t *testing.T) {
			m := &machine{store: keeper{storagetest.NewMemory()}}
			m.up()
			u, _, told := retrying(m, defaults)
			want := time.Duration(0)
			if before {
				want = client.DefaultRetryFor
				must(t, u.SendAll(t.Context(), u.Items([]string{filepath.Join(dir, "000")})))
				m.crash()
				m.mu.Lock()
				m.down = false
				m.mu.Unlock()
			}
			m.accepted = func(c net.Conn) {
				c.Read(make([]byte, 1))
				c.Close()
			}
			begun := time.Now()
			err := u.Upload(t.Context(), []string{dir})
			if took := time.Since(begun); !client.IsServerGone(err) || took != want {
				t.Errorf("%v after %s, want %s\n%s", err, took, want, told)
			}
			if n := strings.Count(told.String(), "error: "); n > 1 {
				t.Errorf("%d errors:\n%s", n, told)
			}
			u.Close()
			m.server.Close()
			m.serving.Wait()
		})
	}
}

// TestRefusedFilesGiveUpTogether: each file that the server refuses for a time is
// tried as long as one alone.
func TestRefusedFilesGiveUpTogether(t *testing.T) {
	const files = 50
	dir := smallFiles(t, files)
	synctest.Test(t, func(t *testing.T) {
		store := storagetest.NewMemory()
		store.Fault = func(step string) error {
			if step == storagetest.Create {
				return &wire.Error{Code: wire.CodeDegraded, Text: "not at the moment"}
			}
			return nil
		}
		m := &machine{store: keeper{store}}
		m.up()
		u, _, told := retrying(m, defaults)
		begun := time.Now()
		err := u.Upload(t.Context(), []string{dir})
		if took := time.Since(begun); err == nil || took != client.DefaultRetryFor {
			t.Errorf("%v after %s", err, took)
		}
		if n := strings.Count(told.String(), "labnet: error: "); n != files {
			t.Errorf("%d errors:\n%s", n, told)
		}
		u.Close()
		m.crash()
		m.serving.Wait()
	})
}

// TestManyOutages: a connection that is lost again and again is told of once a
// minute.
func TestManyOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told bytes.Buffer
		con := &terminal.Console{In: os.Stdin, Out: &told, Err: &told}
		p := defaults.Patience()
		for begun := time.Now(); time.Since(begun) < time.Hour; time.Sleep(time.Second) {
			if again, err := p.Wait(t.Context(), con, "f", &client.LostError{Addr: "nas:9000", Err: wire.ErrNoAnswer}); !again || err != nil {
				t.Fatal(again, err)
			}
			p.Helped()
		}
		if n := strings.Count(told.String(), "\n"); n < 55 || n > 60 {
			t.Errorf("told %d times in an hour", n)
		}
	})
}

func TestAbout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1ms", 1234567: "1ms", 234567890: "235ms", 1234567890: "1.2s", 59_960_000_000: "1m",
		5 * time.Minute: "5m", 90 * time.Second: "1m30s", 2 * time.Hour: "2h", 2*time.Hour + time.Minute: "2h1m",
		24*time.Hour + time.Second: "24h0m1s",
	} {
		if got := terminal.About(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
