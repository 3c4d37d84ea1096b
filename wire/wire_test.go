package wire_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/wire"
)

// What follows encodes messages by the letter of the specification rather than
// with the package's own functions.

// str is a String. A "|" in it stands for NUL, so that requests can be read.
func str(s string) string {
	s = strings.ReplaceAll(s, "|", "\x00")
	return "\x01" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(s)))) + s
}

// data is a Data of the given type, 2 … 9, whatever its size takes.
func data(kind byte, body string) string { return header(kind, uint64(len(body))) + body }

func header(kind byte, size uint64) string {
	return string([]byte{kind}) + string(binary.LittleEndian.AppendUint64(nil, size)[:kind-1])
}

// nvme is CRC-64/NVME by the standard library.
var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

func crc(b string) string { return fmt.Sprintf("%016x", crc64.Checksum([]byte(b), nvme)) }

// end is the END of an upload of those contents.
func end(b string) string { return str(fmt.Sprintf("END|size=%d|crc64nvme=%s|", len(b), crc(b))) }

func saved(upload int, name, b string) string {
	return fmt.Sprintf("SAVED|upload=%d|name=%s|size=%d|crc64nvme=%s|", upload, name, len(b), crc(b))
}

func kept(name, b string) string {
	return fmt.Sprintf("OK|name=%s|size=%d|crc64nvme=%s|", name, len(b), crc(b))
}

// ok is the reply to the announcement of the n-th upload.
func ok(n int) string { return fmt.Sprintf("OK|upload=%d|offset=0|", n) }

// decode turns Strings into text as str takes it. Of an ERROR the words for
// people are left out. What is no String comes last, quoted.
func decode(b string) (says []string) {
	for b != "" {
		if len(b) < 3 || b[0] != 1 {
			return append(says, fmt.Sprintf("%q", b))
		}
		n := 3 + int(binary.LittleEndian.Uint16([]byte(b[1:])))
		if n > len(b) {
			return append(says, fmt.Sprintf("%q", b))
		}
		text := strings.ReplaceAll(b[3:n], "\x00", "|")
		if before, after, found := strings.Cut(text, "|text="); found && strings.HasPrefix(text, "ERROR|") {
			_, after, _ = strings.Cut(after, "|")
			text = before + "|" + after
		}
		says, b = append(says, text), b[n:]
	}
	return says
}

// A duplex is one end of a connection in memory. Its two streams end
// separately, as TCP's do, and nothing is buffered.
type duplex struct{ in, out net.Conn }

func newDuplex() (a, b *duplex) {
	ar, bw := net.Pipe()
	br, aw := net.Pipe()
	return &duplex{ar, aw}, &duplex{br, bw}
}

func (d *duplex) Read(p []byte) (int, error) {
	n, err := d.in.Read(p)
	if err == io.ErrClosedPipe {
		err = net.ErrClosed
	}
	return n, err
}
func (d *duplex) Write(p []byte) (int, error)        { return d.out.Write(p) }
func (d *duplex) CloseWrite() error                  { return d.out.Close() }
func (d *duplex) Close() error                       { return errors.Join(d.in.Close(), d.out.Close()) }
func (d *duplex) LocalAddr() net.Addr                { return d.in.LocalAddr() }
func (d *duplex) RemoteAddr() net.Addr               { return d.in.RemoteAddr() }
func (d *duplex) SetReadDeadline(t time.Time) error  { return d.in.SetReadDeadline(t) }
func (d *duplex) SetWriteDeadline(t time.Time) error { return d.out.SetWriteDeadline(t) }
func (d *duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.SetReadDeadline(t), d.SetWriteDeadline(t))
}

// A listener accepts what a test puts into it.
type listener struct {
	accept chan any // net.Conn or error
	closed chan struct{}
	once   sync.Once
}

func newListener() *listener { return &listener{accept: make(chan any), closed: make(chan struct{})} }

func (l *listener) Accept() (net.Conn, error) {
	select {
	case v := <-l.accept:
		if nc, ok := v.(net.Conn); ok {
			return nc, nil
		}
		return nil, v.(error)
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *listener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

// A world is a server, its store, and what it was told.
type world struct {
	t      testing.TB
	server *wire.Server
	store  *store
	l      *listener
	served chan error

	mu     sync.Mutex
	events []wire.Event
}

// start runs a server. It belongs into a bubble, and so does finish.
func start(t testing.TB, adapt func(*world)) *world {
	w := &world{t: t, store: &store{}, l: newListener(), served: make(chan error, 1)}
	w.server = &wire.Server{Store: w.store, Received: func(e wire.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}}
	w.server.MaxAhead = wire.MaxAhead
	if adapt != nil {
		adapt(w)
	}
	go func() { w.served <- w.server.Serve(w.l) }()
	return w
}

// finish closes the server, and checks that nothing of it is left.
func (w *world) finish() {
	w.t.Helper()
	w.server.Close()
	if err := <-w.served; err != wire.ErrServerClosed {
		w.t.Errorf("Serve: %v", err)
	}
	w.store.balance(w.t)
}

// serve runs test with a server in a bubble. The bubble fails if a goroutine
// outlives it.
func serve(t *testing.T, adapt func(*world), test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := start(t, adapt)
		test(w)
		w.finish()
	})
}

// did returns the events, each as its operation and what it was about.
func (w *world) did() (did []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if about := e.Text + e.Name; about != "" {
			e.Op += " " + about
		}
		did = append(did, e.Op)
	}
	return did
}

func (w *world) wantDid(want ...string) {
	w.t.Helper()
	if got := w.did(); !slices.Equal(got, want) {
		w.t.Errorf("Received was told %q, want %q", got, want)
	}
}

// A peer is a client's end of a connection to a world's server. It takes what
// the server says as soon as it says it.
type peer struct {
	t testing.TB
	halfCloser
	below *duplex // of TLS, or the stream itself
	mu    sync.Mutex
	got   bytes.Buffer
	over  error         // why nothing more comes
	done  chan struct{} // closed with over
}

func (w *world) dial() *peer {
	p := w.dialDeaf()
	go p.listen()
	return p
}

// dialDeaf returns a peer that takes nothing until its listen runs.
func (w *world) dialDeaf() *peer {
	near, far := newDuplex()
	w.l.accept <- far
	p := newPeer(w.t, near)
	if w.server.Certificate != nil {
		p.halfCloser = tls.Client(strict{roomy(near)}, trusting())
	}
	return p
}

// client returns a Client of the server, in the clear. The test closes it.
func (w *world) client() *wire.Client {
	near, far := newDuplex()
	w.l.accept <- far
	return wire.NewClient(near, 0)
}

func newPeer(t testing.TB, near *duplex) *peer {
	return &peer{t: t, halfCloser: near, below: near, done: make(chan struct{})}
}

// A halfCloser can end one of its streams.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// Close ends both streams without a word.
func (p *peer) Close() error { return p.below.Close() }

func (p *peer) listen() {
	defer close(p.done)
	buf := make([]byte, 4096)
	for {
		n, err := p.Read(buf)
		p.mu.Lock()
		p.got.Write(buf[:n])
		p.over = err
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *peer) send(parts ...string) {
	p.t.Helper()
	all := strings.Join(parts, "")
	if all == "" {
		return // a write of nothing would wait for a reader
	}
	if _, err := io.WriteString(p, all); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// heard returns what the server said since the last call, once it has nothing
// more to say for now.
func (p *peer) heard() string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.got.Reset()
	return p.got.String()
}

func (p *peer) hear(want ...string) {
	p.t.Helper()
	if diff := cmp.Diff(want, decode(p.heard())); diff != "" {
		p.t.Errorf("the server said (-want +got):\n%s", diff)
	}
}

// hearBare is hear for a dialect whose replies are not messages.
func (p *peer) hearBare(want string) {
	p.t.Helper()
	if got := p.heard(); got != want {
		p.t.Errorf("the server said %q, want %q", got, want)
	}
}

// wantOpen checks that the server has not ended the stream, wantClosed that it
// has, if need be after the time that it lingers.
func (p *peer) wantOpen() {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over != nil {
		p.t.Errorf("the connection ended: %v", p.over)
	}
}

func (p *peer) wantClosed() {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	over := p.over
	p.mu.Unlock()
	if over == nil {
		p.t.Error("the server did not end the connection")
	}
	if _, encrypted := p.halfCloser.(*tls.Conn); encrypted && over != io.EOF {
		p.t.Errorf("the server ended the connection without a word: %v", over)
	}
	p.Close()
}

// must fails a test that cannot go on.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
