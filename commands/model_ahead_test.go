package commands_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/labnet/labnet/wire"
)

// The ways of a raw client to end an upload.
const (
	endRight   = "END"
	endCancel  = "CANCEL"
	endDigest  = "END of other contents"
	endSize    = "END of another size"
	endTooMany = "one byte too many, END"
	endClose   = "close in the middle"
)

// An aheadOrder is one of several that a raw client announces ahead.
type aheadOrder struct {
	order
	end string
}

func (o aheadOrder) GoString() string { return fmt.Sprintf("%#v, %s", o.order, o.end) }

var aheadOrders = rapid.Custom(func(t *rapid.T) aheadOrder {
	o := orders.Filter(func(o order) bool { return !o.blob && o.source == whole }).Draw(t, "order")
	ends := []string{endRight, endRight, endRight, endCancel, endDigest, endSize, endTooMany, endClose}
	return aheadOrder{o, rapid.SampledFrom(ends).Draw(t, "end")}
})

// ahead announces uploads and then sends them, on a connection without a
// wire.Client, which would do neither that nor anything wrong.
func (m *machine) ahead(t *rapid.T) {
	orders := rapid.SliceOfN(aheadOrders, 1, 4).Draw(t, "orders")
	for i := range orders {
		orders[i].order = m.ground.fit(orders[i].order)
	}
	conn, _ := m.dial()
	answers := listenTo(conn)
	defer answers.reading.Wait()
	defer conn.Close()

	var announcements []byte
	for _, o := range orders {
		announcements = append(announcements, o.request()...)
	}
	conn.Write(announcements)
	var uploads []*sending
	var wanted []string
	for i, o := range orders {
		s := &sending{order: o.order, on: conn}
		uploads = append(uploads, s)
		m.announce(s)
		wanted = append(wanted, s.accepted(i+1))
	}
	answers.expectAll(t, wanted)
	answers.none(t)
	m.reapSuperseded(t)

	together := independent(orders) && rapid.Bool().Draw(t, "together")
	if together { // so that the server makes them safe at the same time
		var all []byte
		for i, s := range uploads {
			if !s.over {
				all = append(all, s.messages(orders[i].end)...)
			}
		}
		conn.Write(all)
	}
	for i, s := range uploads {
		if s.over {
			continue
		}
		if !together {
			conn.Write(s.messages(orders[i].end))
		}
		synctest.Wait()
		if orders[i].end == endClose {
			break
		}
		if orders[i].end == endCancel {
			m.cancel(s)
		} else {
			m.commit(s, orders[i].end == endRight, m.kept)
		}
		answers.expect(t, s.concluded(i+1))
		if !together {
			answers.none(t)
		}
	}
	answers.none(t)
	conn.Close()
	synctest.Wait()
	for _, s := range uploads {
		if !s.over {
			m.leave(s, false)
		}
	}
}

// receive is told of what the server kept.
func (m *machine) receive(e wire.Event) {
	m.receiving.Lock()
	defer m.receiving.Unlock()
	m.kept = e.Name
}

// independent reports whether uploads come out the same, and are answered in the
// same order, however the work on them overlaps.
func independent(orders []aheadOrder) bool {
	var first []byte
	for _, o := range orders {
		if o.name == "" || o.end == endTooMany || o.end == endClose || slices.Contains(first, o.name[0]) {
			return false
		}
		first = append(first, o.name[0]) // names that begin alike may collide
	}
	return true
}

// messages is what a client sends of an upload that was accepted.
func (s *sending) messages(end string) (b []byte) {
	if !s.right() {
		b = control("RESTART")
		s.restart()
	}
	rest := s.contents.bytes()[len(s.has):]
	if end == endClose {
		s.got = len(rest) / 2
		return append(wire.DataHeader(uint64(len(rest))).Append(b), rest[:s.got]...)
	}
	s.got = len(rest)
	for piece := range slices.Chunk(rest, len(rest)/3+1) {
		b = wire.DataHeader(0).Append(b) // as one does whose source is slow
		b = append(wire.DataHeader(uint64(len(piece))).Append(b), piece...)
	}
	sum := s.sum()
	switch end {
	case endCancel:
		return append(b, control("CANCEL")...)
	case endDigest:
		sum.Digest[0] ^= 1
	case endSize:
		sum.Size++
	case endTooMany:
		b = append(wire.DataHeader(1).Append(b), 0)
	}
	size := wire.Field{Key: "size", Value: strconv.FormatInt(sum.Size, 10)}
	return append(b, control("END", size, wire.Field{Key: s.digest, Value: sum.Hex()})...)
}

// accepted is the answer to the n-th announcement of a connection.
func (s *sending) accepted(n int) string {
	if s.code != "" {
		return inOrder("ERROR", fmt.Sprint("code=", s.code), fmt.Sprint("upload=", n))
	}
	if s.over {
		fields := []string{fmt.Sprint("upload=", n), "unchanged=1"}
		if s.saved.Name != s.name {
			fields = append(fields, "name="+s.saved.Name)
		}
		return inOrder("SAVED", fields...)
	}
	fields := []string{fmt.Sprint("upload=", n), fmt.Sprint("offset=", len(s.offered))}
	if len(s.offered) > 0 {
		fields = append(fields, fmt.Sprintf("sha256=%x", sha256.Sum256(s.offered)))
	}
	return inOrder("OK", fields...)
}

// concluded is the answer to the end of the n-th upload of a connection.
func (s *sending) concluded(n int) string {
	if s.code != "" {
		return s.accepted(n)
	}
	fields := []string{
		fmt.Sprint("upload=", n), "name=" + s.saved.Name,
		fmt.Sprint("size=", s.saved.Size), s.digest + "=" + s.saved.Hex(),
	}
	if s.saved.Unchanged {
		fields = append(fields, "unchanged=1")
	}
	return inOrder("SAVED", fields...)
}

// inOrder is an answer with its fields in alphabetical order: theirs is free.
func inOrder(word string, fields ...string) string {
	slices.Sort(fields)
	return word + " " + strings.Join(fields, " ")
}

// answers are what a server says on a raw connection.
type answers struct {
	reading sync.WaitGroup
	got     bytes.Buffer
}

func listenTo(conn net.Conn) *answers {
	a := new(answers)
	a.reading.Go(func() { io.Copy(&a.got, conn) })
	return a
}

// expect compares the next answer, except for the words that are for people.
func (a *answers) expect(t *rapid.T, want string) { a.expectAll(t, []string{want}) }

// expectAll compares the next answers, in any order: what need not be sent is made
// durable meanwhile.
func (a *answers) expectAll(t *rapid.T, want []string) {
	synctest.Wait()
	var got []string
	for range want {
		got = append(got, a.next(t))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("answers %q, want %q", readable(fmt.Sprint(got)), readable(fmt.Sprint(want)))
	}
}

func (a *answers) next(t *rapid.T) string {
	r := bytes.NewReader(a.got.Bytes())
	header := make([]byte, 3)
	io.ReadFull(r, header)
	text := make([]byte, int(header[1])|int(header[2])<<8)
	io.ReadFull(r, text)
	a.got.Next(a.got.Len() - r.Len())
	ctl, err := wire.ParseControl(string(text))
	if err != nil {
		t.Fatalf("answer %q: %v", readable(string(text)), err)
	}
	var fields []string
	for _, field := range ctl.Fields {
		if field.Key != "text" {
			fields = append(fields, field.Key+"="+field.Value)
		}
	}
	return inOrder(ctl.Word, fields...)
}

// none fails if there is one more answer.
func (a *answers) none(t *rapid.T) {
	if a.got.Len() > 0 {
		t.Fatalf("one more answer: %q", a.got.Bytes())
	}
}

// A recorder is the server's end of a pipe. It remembers what the server read.
type recorder struct {
	net.Conn
	mu    sync.Mutex
	bytes []byte
}

func (c *recorder) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes = append(c.bytes, b[:n]...)
	return n, err
}

func (c *recorder) heard() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

func (c *recorder) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes = nil
}
