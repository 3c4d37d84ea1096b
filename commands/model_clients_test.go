package commands_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/labnet/labnet/wire"
)

// A conversation is a client on a pipe to the server.
type conversation struct {
	client *wire.Client
	tap    *tap
	heard  *recorder
}

// A tap is the client's end of a pipe. It holds the requests or the replies
// back after some bytes, until it is opened or closed. Like a system's buffers
// it takes replies that the client does not read yet: in a bubble a server that
// waits for its client, with a lock, would wait for ever.
type tap struct {
	net.Conn
	mu                sync.Mutex
	changed           *sync.Cond
	opened, closed    bool
	requests, replies int // how many bytes may still pass
	unread            []byte
	end               error // of what comes
}

const unlimited = math.MaxInt

// newTap returns a tap on conn.
func newTap(conn net.Conn, h hold) *tap {
	c := &tap{Conn: conn, requests: h.requests, replies: h.replies}
	c.changed = sync.NewCond(&c.mu)
	go func() {
		b := make([]byte, 4096)
		for c.end == nil {
			n, err := conn.Read(b)
			c.change(func() { c.unread, c.end = append(c.unread, b[:n]...), err })
		}
	}()
	return c
}

func (c *tap) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	c.changed.Broadcast()
}

// room waits until some of n bytes may be sent, and returns how many.
func (c *tap) room(n int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.opened && !c.closed && c.requests == 0 {
		c.changed.Wait()
	}
	if c.closed {
		return 0, net.ErrClosed
	}
	if !c.opened {
		n = min(n, c.requests)
		c.requests -= n
	}
	return n, nil
}

func (c *tap) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var room, written int
		if room, err = c.room(len(b) - n); err == nil {
			written, err = c.Conn.Write(b[n : n+room])
			n += written
		}
	}
	return n, err
}

func (c *tap) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed {
		ready := c.unread
		if !c.opened {
			ready = ready[:min(len(ready), c.replies)]
		}
		if n := copy(b, ready); n > 0 {
			c.unread, c.replies = c.unread[n:], c.replies-n
			return n, nil
		}
		if c.end != nil && len(c.unread) == 0 {
			return 0, c.end
		}
		c.changed.Wait()
	}
	return 0, net.ErrClosed
}

func (c *tap) open() { c.change(func() { c.opened = true }) }

func (c *tap) Close() error {
	c.change(func() { c.closed = true })
	return c.Conn.Close()
}

// dial connects to the server.
func (m *machine) dial() (net.Conn, *recorder) {
	near, far := net.Pipe()
	heard := &recorder{Conn: far}
	m.listener.conns <- heard
	return near, heard
}

// converse connects a client that is held back.
func (m *machine) converse(h hold) *conversation {
	near, heard := m.dial()
	c := newTap(near, h)
	return &conversation{wire.NewClient(c, 0), c, heard}
}

// A hold says after how many bytes a client is held back.
type hold struct{ requests, replies int }

var notHeld = hold{unlimited, unlimited}

func (h hold) GoString() string {
	if h.replies < unlimited {
		return fmt.Sprintf("replies after %d bytes", h.replies)
	}
	return fmt.Sprintf("requests after %d bytes", h.requests)
}

// holds makes up where to hold an order back: mostly in its contents.
func holds(o order) *rapid.Generator[hold] {
	announcement := len(o.request())
	return rapid.Custom(func(t *rapid.T) hold {
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 4:
			return hold{rapid.IntRange(0, announcement).Draw(t, "requests"), unlimited}
		case 5:
			return hold{unlimited, rapid.IntRange(0, 120).Draw(t, "replies")}
		}
		return hold{announcement + rapid.IntRange(0, o.contents.size+60).Draw(t, "requests"), unlimited}
	})
}

// request is the announcement on the wire; that of a blob is its header.
func (o order) request() []byte {
	if o.blob {
		return wire.BlobHeader(uint64(o.contents.size)).Append(nil)
	}
	word := o.name
	if word == "END" {
		word = "./END"
	}
	var fields []wire.Field
	if o.id != "" {
		fields = append(fields, wire.Field{Key: "id", Value: o.id})
	}
	if o.id != "" || o.proves {
		fields = append(fields, wire.Field{Key: "proof", Value: "sha256"})
	}
	if o.tells {
		fields = append(fields, wire.Field{Key: "sha256", Value: fmt.Sprintf("%x", sha256.Sum256(o.contents.bytes()))})
	}
	if !o.stream {
		fields = append(fields, wire.Field{Key: "size", Value: strconv.Itoa(o.size())})
	}
	return control(word, append(fields, wire.Field{Key: "digest", Value: o.digest})...)
}

// A source is what a client sends from, in pieces.
type source struct {
	*bytes.Reader
	piece int
	end   error
}

var errSource = errors.New("the source failed")

func newSource(o order) *source {
	b, end := o.contents.bytes(), io.EOF
	if o.source == fails {
		b, end = b[:len(b)/2], errSource
	}
	return &source{bytes.NewReader(b), len(b)/3 + 1, end}
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b[:min(len(b), s.piece)])
	if err == io.EOF {
		err = s.end
	}
	return n, err
}

// A flight is an order that a client is sending.
type flight struct {
	*conversation
	*sending
	hold hold
	done chan struct{} // closed once these are set
	told wire.Saved
	err  error
}

// launch has a client send an order until it is done or held back.
func (m *machine) launch(t *rapid.T, c *conversation, o order, h hold) {
	c.heard.forget()
	f := &flight{conversation: c, sending: &sending{order: o, on: c}, hold: h, done: make(chan struct{})}
	m.flights = append(m.flights, f)
	go func() {
		defer close(f.done)
		if o.blob {
			f.told, f.err = c.client.Blob(t.Context(), newSource(o), int64(o.size()))
		} else {
			f.told, f.err = c.client.Upload(t.Context(), o.announcement(), newSource(o))
		}
	}()
	m.settle(t, f)
}

// settle waits until nothing moves, and has the model follow.
func (m *machine) settle(t *rapid.T, f *flight) {
	synctest.Wait()
	m.follow(t, f)
	select {
	case <-f.done:
		if !f.over { // only the end of the connection takes a blob back
			m.leave(f.sending, false)
		}
		m.verify(t, f)
		m.land(f)
	default:
		if f.hold == notHeld {
			t.Fatalf("%#v never ends", f.order)
		}
	}
	m.reapSuperseded(t)
}

// follow tells the model what the server has read by now.
func (m *machine) follow(t *rapid.T, f *flight) {
	words, data, begun := parse(f.heard.heard())
	if begun && !f.announced {
		m.announce(f.sending)
	}
	if f.over || !begun {
		return
	}
	f.got = data
	restarted := slices.Contains(words, "RESTART")
	if restarted {
		f.restart()
	}
	if m.arrive(f.sending); f.over {
		return
	}
	switch {
	case slices.Contains(words, "CANCEL"):
		m.cancel(f.sending)
	case slices.Contains(words, "END"), f.blob && f.got == f.size():
		if restarted == f.right() {
			t.Errorf("%#v: the client goes on with %s: %t", f.order, nameOf(f.offered), !restarted)
		}
		if want := f.contents.size - len(f.has); f.got != want {
			t.Errorf("%#v: %d bytes sent, want %d", f.order, f.got, want)
		}
		m.commit(f.sending, true, m.kept)
	}
}

// parse tells how much the server has read: the words of the requests behind
// the first, and the bytes of contents.
func parse(heard []byte) (words []string, data int, begun bool) {
	r := bufio.NewReaderSize(bytes.NewReader(heard), 2*wire.MaxString)
	for {
		h, err := wire.ReadHeader(r)
		if err == nil && !h.IsString() {
			n, _ := io.CopyN(io.Discard, r, int64(h.Size))
			data, begun = data+int(n), true
			continue
		}
		var text string
		if err == nil {
			text, err = wire.ReadString(r, h)
		}
		if err != nil {
			return words, data, begun
		}
		if word, _, _ := strings.Cut(text, "\x00"); begun {
			words = append(words, word)
		}
		begun = true
	}
}

// verify compares what the client was told with the model.
func (m *machine) verify(t *rapid.T, f *flight) {
	code, want := wire.Code(""), f.saved
	if refused, ok := errors.AsType[*wire.Error](f.err); ok {
		code = refused.Code
	}
	_, source := errors.AsType[*wire.SourceError](f.err)
	switch {
	case f.code != "" && f.code != wire.CodeCancelled:
		if code != f.code {
			t.Errorf("%#v: %s, want code %s", f.order, errorText(f.err), f.code)
		}
	case f.source != whole:
		if !source {
			t.Errorf("%#v: %s, want an error of the source", f.order, errorText(f.err))
		}
	case f.err != nil:
		t.Errorf("%#v: %s", f.order, errorText(f.err))
	case f.told.Name != want.Name || f.told.Size != want.Size || !bytes.Equal(f.told.Digest, want.Digest) ||
		f.told.Unchanged != want.Unchanged || f.told.Resumed != want.Resumed:
		t.Errorf("%#v: the client was told %s, want %s", f.order, savedText(f.told), savedText(want))
	case f.name == "" && !serverMade.MatchString(f.told.Name):
		t.Errorf("%#v: the server made the name %q", f.order, readable(f.told.Name))
	}
}

func savedText(s wire.Saved) string {
	return fmt.Sprintf("%s, %d bytes, %s, unchanged %t, resumed at %d",
		readable(s.Name), s.Size, s.Hex(), s.Unchanged, s.Resumed)
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return readable(err.Error())
}

// land forgets a flight and ends its connection, unless others need it.
func (m *machine) land(f *flight) {
	m.flights = slices.DeleteFunc(m.flights, func(o *flight) bool { return o == f })
	if f.conversation == m.standing && f.client.Err() == nil {
		return
	}
	f.client.Close()
	if f.conversation == m.standing {
		m.standing = m.converse(notHeld)
	}
	synctest.Wait()
}

// reap lets a client find out that its connection has ended.
func (m *machine) reap(t *rapid.T, f *flight) {
	f.tap.open()
	synctest.Wait()
	select {
	case <-f.done:
	default:
		t.Fatalf("%#v does not end with its connection", f.order)
	}
	refused, _ := errors.AsType[*wire.Error](f.err)
	switch mustBeTold := f.superseded && f.source == whole; {
	case f.err == nil && f.saved.Name != "": // the last reply was on its way
		m.verify(t, f)
	case f.err == nil, mustBeTold && (refused == nil || refused.Code != wire.CodeSuperseded):
		t.Errorf("%#v: %s, though its connection was ended (superseded: %t)", f.order, errorText(f.err), f.superseded)
	}
	m.land(f)
}

func (m *machine) reapSuperseded(t *rapid.T) {
	for _, f := range slices.Clone(m.flights) {
		if f.superseded {
			m.reap(t, f)
		}
	}
}
