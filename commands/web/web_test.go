package web_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

// keeper lets a wire.Server keep what it receives.
type keeper struct{ storage.Store }

func (k keeper) Create(ctx context.Context, a wire.Announcement) (wire.Upload, error) {
	f := storage.File{Name: a.Name, ID: a.ID, Size: a.Size, ModTime: a.ModTime, Digest: storage.Digest{Name: a.Digest.Name, New: a.Digest.New}, Replace: storage.Replacement(a.Replace)}
	for _, d := range a.Proofs {
		f.Proofs = append(f.Proofs, storage.Digest{Name: d.Name, New: d.New})
	}
	f.Contents = storage.Proof{Digest: storage.Digest{Name: a.Contents.Digest.Name, New: a.Contents.Digest.New}, Sum: a.Contents.Sum}
	p, err := k.Store.Create(ctx, f)
	if err != nil {
		return nil, refusal(err)
	}
	return keeping{p}, nil
}

func (k keeper) CheckFolder(context.Context, string) error { return errors.ErrUnsupported }

func (k keeper) Err() error { return refusal(k.Store.Err()) }

type keeping struct{ storage.Partial }

func (k keeping) Offer() wire.Offer { return wire.Offer(k.Partial.Offer()) }

func (k keeping) Commit(ctx context.Context, want wire.Sum) (wire.Saved, error) {
	r, err := k.Partial.Commit(ctx, storage.Sum(want))
	return wire.Saved{Name: r.Name, Sum: wire.Sum{Size: r.Size, Digest: r.Digest}, Unchanged: r.Unchanged}, refusal(err)
}

func refusal(err error) error {
	for known, code := range map[error]wire.Code{storage.ErrMismatch: wire.CodeMismatch, storage.ErrExists: wire.CodeExists, storage.ErrNoSpace: wire.CodeNoSpace} {
		if errors.Is(err, known) {
			return &wire.Error{Code: code, Text: err.Error()}
		}
	}
	if name, ok := errors.AsType[*storage.NameError](err); ok {
		return &wire.Error{Code: wire.CodeName, Text: name.Error()}
	}
	return err
}

// A world is a server with its store and log.
type world struct {
	t      testing.TB
	store  *storagetest.Memory
	server *wire.Server
	front  *web.Front
	addr   string
	served chan error
	near   atomic.Bool // clients seem to be on this machine

	mu     sync.Mutex
	log    bytes.Buffer
	events []string
}

func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func start(t testing.TB, adapt func(*wire.Server, *web.Options)) *world {
	return startWith(t, storagetest.NewMemory(), adapt)
}

func startWith(t testing.TB, store *storagetest.Memory, adapt func(*wire.Server, *web.Options)) *world {
	w := &world{t: t, store: store, served: make(chan error, 1)}
	w.server = &wire.Server{Store: keeper{store}, Log: zerolog.New(w), Received: func(e wire.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, strings.TrimSpace(e.Op+" "+e.Text+e.Name))
	}}
	options := web.Options{HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, PartialTTL: time.Hour, Boot: "boot"}
	if adapt != nil {
		adapt(w.server, &options)
	}
	w.front = web.New(options)
	w.server.HTTP = w.front.Serve
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.addr = l.Addr().String()
	go func() { w.served <- w.server.Serve(far{l, &w.near}) }()
	t.Cleanup(w.stop)
	return w
}

// A far listener has connections from elsewhere: this machine itself is never refused.
type far struct {
	net.Listener
	not *atomic.Bool
}

func (l far) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || l.not.Load() {
		return c, err
	}
	return farConn{c.(*net.TCPConn)}, nil
}

type farConn struct{ *net.TCPConn }

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// stop ends the server once and for all.
func (w *world) stop() {
	if w.server == nil {
		return
	}
	w.server.Close()
	if err := <-w.served; err != wire.ErrServerClosed {
		w.t.Errorf("Serve: %v", err)
	}
	w.front.Close()
	w.server = nil
}

// dial sends the beginning of a stream.
func (w *world) dial(text string) (net.Conn, *bufio.Reader) {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	must(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n"))
	must(w.t, err)
	return c, bufio.NewReader(c)
}

// answer reads an answer, and returns its status and content.
func answer(t testing.TB, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	a, err := http.ReadResponse(r, &http.Request{Method: method})
	must(t, err)
	body, err := io.ReadAll(a.Body)
	must(t, err)
	return a, string(body)
}

// do sends a request whose headers are "name: value".
func (w *world) do(method, path, body string, headers ...string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequest(method, "http://"+w.addr+path, strings.NewReader(body))
	must(w.t, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	a, err := http.DefaultClient.Do(r)
	must(w.t, err)
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	must(w.t, err)
	return a, string(text)
}

func (w *world) want(method, path, body string, status int, headers ...string) *http.Response {
	w.t.Helper()
	a, text := w.do(method, path, body, headers...)
	if a.StatusCode != status {
		w.t.Errorf("%s %.80s: %d, want %d: %s", method, path, a.StatusCode, status, text)
	}
	return a
}

// wantFiles compares what is stored with names and contents in turn.
func (w *world) wantFiles(want ...string) {
	w.t.Helper()
	files := w.store.Files()
	for i := 0; i < len(want); i += 2 {
		if got, ok := files[want[i]]; !ok || string(got) != want[i+1] {
			w.t.Errorf("%s is %.100q, want %.100q", want[i], got, want[i+1])
		}
	}
	if len(files) != len(want)/2 {
		w.t.Errorf("%d files are stored, want %d", len(files), len(want)/2)
	}
}

func (w *world) logged(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.log.String(), text)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCutOff: a file that does not come to its end is not stored.
func TestCutOff(t *testing.T) {
	for name, request := range map[string]string{
		"length":     "PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 10\n\nshort",
		"chunk":      "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n5\nshort\n5\nsh",
		"last chunk": "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n5\nshort\n",
		"form":       "POST / HTTP/1.1\nHost: localhost\nContent-Length: 1000\nContent-Type: multipart/form-data; boundary=x\n\n--x\nContent-Disposition: form-data; name=f; filename=a\n\nshort",
		"text":       "POST / HTTP/1.1\nHost: localhost\nContent-Length: 10\nContent-Type: text/plain\n\nshort",
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, nil)
			c, r := w.dial(request)
			must(t, c.(*net.TCPConn).CloseWrite())
			if a, text := answer(t, r, "PUT"); a.StatusCode != http.StatusBadRequest {
				t.Errorf("%v: %s", a.Status, text)
			}
			w.stop()
			w.wantFiles()
			if len(w.events) > 0 {
				t.Errorf("received: %q", w.events)
			}
		})
	}
}

// TestMalformed: what two servers could understand differently is refused, and nothing
// that follows is taken for a request.
func TestMalformed(t *testing.T) {
	for name, header := range map[string]string{
		"two lengths":       "Content-Length: 5\nContent-Length: 6",
		"length and chunks": "Content-Length: 5\nTransfer-Encoding: chunked, identity",
		"negative length":   "Content-Length: -5",
		"folded":            "Content-Length:\n 5\n X: y\nContent-Length: 6",
		"space in name":     "Content-Length : 5",
		"bad chunk":         "Transfer-Encoding: chunked\n\nxyz\n",
		"no host":           "Content-Length: 5\nHost: b\nHost: c",
		"too long":          "X: " + strings.Repeat("x", 40<<10),
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, nil)
			_, r := w.dial("PUT /a HTTP/1.1\nHost: localhost\n" + header + "\n\nhello")
			a, text := answer(t, r, "PUT")
			if a.StatusCode < 400 || !a.Close && a.Header.Get("Connection") != "close" && a.StatusCode != 400 {
				t.Errorf("%v: %s", a.Status, text)
			}
			w.stop()
			w.wantFiles()
		})
	}
}

// TestExpect: what is refused is refused before the body is sent, and then taken only
// after it was asked for.
func TestExpect(t *testing.T) {
	w := start(t, func(s *wire.Server, _ *web.Options) { s.MaxSize = 10 })
	const header = "PUT /%s HTTP/1.1\nHost: localhost\nContent-Length: %d\nExpect: 100-continue\n\n"
	_, r := w.dial(fmt.Sprintf(header, "a", 11))
	if a, _ := answer(t, r, "PUT"); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(a.Status)
	}
	_, r = w.dial(fmt.Sprintf(header, "../a", 5))
	if a, _ := answer(t, r, "PUT"); a.StatusCode != http.StatusBadRequest {
		t.Error(a.Status)
	}
	c, r := w.dial(fmt.Sprintf(header, "a", 5))
	if a, _ := answer(t, r, "PUT"); a.StatusCode != http.StatusContinue {
		t.Error(a.Status)
	}
	io.WriteString(c, "hello")
	if a, _ := answer(t, r, "PUT"); a.StatusCode != http.StatusCreated {
		t.Error(a.Status)
	}
	w.wantFiles("a", "hello")
}

// TestAnswerWhileSending: a client that reads nothing before it has sent everything learns
// why it is refused, and one that sends for ever is cut off.
func TestAnswerWhileSending(t *testing.T) {
	w := start(t, func(s *wire.Server, _ *web.Options) { s.MaxSize, s.ProgressTimeout = 10, time.Second })
	for name, request := range map[string]string{
		"length": "PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 16777216\n\n",
		"chunks": "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n1000000\n",
		"text":   "POST / HTTP/1.1\nHost: localhost\nContent-Type: text/plain\nContent-Length: 16777216\n\n",
		"asked":  "PUT /a HTTP/1.1\nHost: localhost\nExpect: 100-continue\nTransfer-Encoding: chunked\n\n1000000\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, r := w.dial(request)
			if _, err := c.Write(make([]byte, 16<<20)); err != nil {
				t.Errorf("the contents: %v", err)
			}
			if name == "asked" {
				answer(t, r, "PUT") // 100
			}
			if a, text := answer(t, r, "PUT"); a.StatusCode != http.StatusRequestEntityTooLarge || !a.Close {
				t.Errorf("%v: %s", a.Status, text)
			}
		})
		t.Run(name+", for ever", func(t *testing.T) {
			t.Parallel()
			c, _ := w.dial(request)
			for {
				if _, err := c.Write([]byte("still there")); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// TestNoLength: nothing is stored of a request that does not say where its contents end.
func TestNoLength(t *testing.T) {
	for _, request := range []string{"PUT /a HTTP/1.0\n\nhello", "PUT /a HTTP/1.1\nHost: localhost\nConnection: close\n\nhello"} {
		w := start(t, nil)
		_, r := w.dial(request)
		if a, text := answer(t, r, "PUT"); a.StatusCode != http.StatusLengthRequired {
			t.Errorf("%v: %s", a.Status, text)
		}
		w.stop()
		w.wantFiles()
	}
	w := start(t, nil)
	for _, request := range []string{"PUT /a HTTP/1.0\nContent-Length: 0\n\n", "PUT /b HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n0\n\n"} {
		_, r := w.dial(request)
		if a, text := answer(t, r, "PUT"); a.StatusCode != http.StatusCreated {
			t.Errorf("%v: %s", a.Status, text)
		}
	}
	w.wantFiles("a", "", "b", "")
}

// TestNoHost: health checks of balancers name no host.
func TestNoHost(t *testing.T) {
	w := start(t, nil)
	_, r := w.dial("GET /healthz HTTP/1.0\n\n")
	if a, text := answer(t, r, "GET"); a.StatusCode != http.StatusOK {
		t.Errorf("%v: %s", a.Status, text)
	}
}
