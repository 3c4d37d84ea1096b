package check

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/labnet/labnet/wire"
)

const (
	// maxEnds is how much of the beginning and of the end of each stretch is kept.
	maxEnds = 8 << 10
	// maxTurns is how many answers of a connection are told apart.
	maxTurns = 32
)

// An Explanation is what a client did on one connection to a server of a task.
type Explanation struct {
	Op      string   `json:"op"` // "connection"
	Time    string   `json:"time"`
	Remote  string   `json:"remote"`
	Task    string   `json:"task"`
	Bytes   int      `json:"bytes"` // that it sent
	Sent    []string `json:"messages,omitempty"`
	Sizes   []string `json:"sizes,omitempty"` // the ways to read a size that fit
	Answers []string `json:"answers,omitempty"`
	End     string   `json:"end"` // how the client ended, and whether it read the answer
	Kept    []string `json:"kept,omitempty"`
	Why     []string `json:"advice,omitempty"`
	Seconds float64  `json:"seconds"`
}

// An Explainer watches the connections of a server of one task.
type Explainer struct {
	Task wire.Lab
	// Report is called when a connection has ended, also concurrently.
	Report func(Explanation)

	mu    sync.Mutex
	conns map[string]*watched // by the client's address
}

// Listener returns a listener whose connections are watched.
func (x *Explainer) Listener(l net.Listener) net.Listener { return watching{l, x} }

type watching struct {
	net.Listener
	*Explainer
}

func (w watching) Accept() (net.Conn, error) {
	nc, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &watched{Conn: nc, of: w.Explainer, begun: time.Now(), turns: []stretch{{}}}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == nil {
		w.conns = map[string]*watched{}
	}
	w.conns[nc.RemoteAddr().String()] = c
	return c, nil
}

// Received notes what the server received and kept.
func (x *Explainer) Received(e wire.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.conns[e.Remote]
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case e.Size != nil:
		c.kept = append(c.kept, fmt.Sprintf("%s, %s", e.Name, counted(int(*e.Size))))
	case e.Op == "say":
		c.kept = append(c.kept, "the text "+wordsOf(stretchOf([]byte(e.Text))))
	}
}

// A watched connection remembers what passes on it.
type watched struct {
	net.Conn
	of    *Explainer
	begun time.Time
	once  sync.Once

	mu      sync.Mutex
	turns   []stretch // between the answers
	answers []string
	end     ending
	early   bool // the client ended before an answer
	kept    []string
}

func (c *watched) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.turns[len(c.turns)-1].add(p[:n])
	}
	switch {
	case err == nil, errors.Is(err, net.ErrClosed), os.IsTimeout(err):
	case err == io.EOF:
		c.end = max(c.end, ended)
	default:
		c.end = reset
	}
	return n, err
}

// add remembers more bytes.
func (s *stretch) add(b []byte) {
	s.n += len(b)
	s.head = append(s.head, b[:min(len(b), maxEnds-len(s.head))]...)
	s.tail = append(s.tail, b[max(0, len(b)-maxEnds):]...)
	if more := len(s.tail) - maxEnds; more > 0 {
		s.tail = append(s.tail[:0], s.tail[more:]...)
	}
}

func (c *watched) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.early = c.early || c.end != open
	if len(c.turns) < maxTurns {
		c.answers = append(c.answers, wordsOf(stretchOf(append([]byte(nil), p...))))
		c.turns = append(c.turns, stretch{})
	}
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
	c.resetIf(err)
	return n, err
}

func (c *watched) CloseWrite() (err error) {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		err = half.CloseWrite()
	}
	c.resetIf(err)
	return err
}

// resetIf notes that the client reset the connection, which a failure to write shows.
func (c *watched) resetIf(err error) {
	if err == nil || errors.Is(err, net.ErrClosed) || os.IsTimeout(err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = reset
}

func (c *watched) Close() error {
	c.once.Do(func() {
		broken := refused(c.Conn)
		c.of.mu.Lock()
		delete(c.of.conns, c.RemoteAddr().String())
		c.of.mu.Unlock()
		c.of.Report(c.explain(broken))
	})
	return c.Conn.Close()
}

// explain says what the client did. Broken says that its system refused what came
// after it had closed.
func (c *watched) explain(broken bool) Explanation {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := decode(c.of.Task, c.turns)
	x := Explanation{Op: "connection", Remote: c.RemoteAddr().String(), Task: c.of.Task.String(), Seconds: time.Since(c.begun).Seconds(),
		Sent: d.sent, Sizes: d.sizes, Answers: c.answers, Kept: c.kept, Why: d.why}
	for _, s := range c.turns {
		x.Bytes += s.n
	}
	answered := len(c.answers) > 0
	wentOn := c.of.Task >= wire.Lab6 && c.turns[len(c.turns)-1].n > 0
	switch {
	case c.end == open:
		x.End = "the client kept the connection open"
	case answered && c.early && (broken || c.end == reset):
		x.End = "the client had closed before the answer came"
	case c.end == reset && answered && !wentOn:
		x.End = "a reset: the client closed and did not read the answer"
	case c.end == reset:
		x.End = "a reset: the client did not close in order, or died"
	case answered && c.early:
		x.End = "the client ended its side before the answer, and may have read it"
	case answered:
		x.End = "the client read the answer and closed"
	default:
		x.End = "the client closed"
	}
	return x
}

// Write writes the explanation for people.
func (x Explanation) Write(w io.Writer) {
	fmt.Fprintf(w, "connection from %s, task %s, %s\n", x.Remote, x.Task, counted(x.Bytes))
	kept := x.Kept
	if kept == nil && x.Bytes > 0 && x.Task != "1" && x.Task != "2" {
		kept = []string{"nothing"}
	}
	for _, line := range []struct {
		word  string
		texts []string
	}{{"sent", x.Sent}, {"size", x.Sizes}, {"answered", x.Answers}, {"end", []string{x.End}}, {"kept", kept}, {"why", x.Why}} {
		for _, text := range line.texts {
			wrap(w, line.word, printable(text))
			line.word = ""
		}
	}
}
