package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labnet/labnet/wire"
)

// maxHeardOfFile is how much of what a client sends is looked at, more than any case has
// it send.
const maxHeardOfFile = 2 << 20

// maxByHand is how long a client that somebody starts may take to connect.
const maxByHand = 10 * time.Minute

// A clientRunner checks a client, one case after the other. It is used by one goroutine.
type clientRunner struct {
	ctx context.Context
	Options
	listeners []net.Listener
	conns     chan net.Conn
	room      string // a folder of this run, where the command runs
	reached   bool   // a client has connected
}

// Client runs the cases of a task for a client, which connects to labnet, and reports
// each. The error is ErrUnreached if no client ever connected, the context's, or a
// NamedError.
func Client(ctx context.Context, o Options) (Counts, error) {
	o.Addr = o.Listener.Addr().String()
	r := &clientRunner{ctx: ctx, Options: o, conns: make(chan net.Conn, 16)}
	defer r.finish()
	counts := Counts{}
	if err := r.prepare(); err != nil {
		return counts, err
	}
	for _, c := range clientCasesOf(o.Task) {
		if len(o.Only) > 0 && !selected(o.Only, c.id) {
			continue
		}
		result, err := r.try(c)
		if ctx.Err() != nil {
			return counts, ctx.Err()
		}
		if err != nil {
			return counts, err
		}
		counts[result.Verdict]++
		r.Report(result)
	}
	return counts, nil
}

// prepare accepts connections, and makes the folder.
func (r *clientRunner) prepare() (err error) {
	if r.room, err = os.MkdirTemp("", "labnet-check-"); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(r.room, "files"), 0o755); err != nil {
		return err
	}
	r.listeners = append(r.listeners, r.Listener)
	if host, port, _ := net.SplitHostPort(r.Addr); port == "9000" && r.Task >= wire.Lab4 {
		if l, err := net.Listen("tcp", net.JoinHostPort(host, "9002")); err == nil { // which the assignment has from task 4 on
			r.listeners = append(r.listeners, l)
		}
	}
	for _, l := range r.listeners {
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				select {
				case r.conns <- conn:
				default: // a flood
					conn.Close()
				}
			}
		}()
	}
	if len(r.Command) > 0 {
		adoptOrphans()
		r.Command = absolute(r.Command)
	}
	return nil
}

func (r *clientRunner) finish() {
	for _, l := range r.listeners {
		l.Close()
	}
	r.discard()
	os.RemoveAll(r.room)
}

// discard closes the connections that a case before left.
func (r *clientRunner) discard() {
	for {
		select {
		case conn := <-r.conns:
			conn.Close()
		default:
			return
		}
	}
}

// A visit is one run of a client's case.
type visit struct {
	*clientRunner
	c *clientCase
	outcome
	values []string // what the client is to send: a text, a size, or the paths of files
	bodies [][]byte
	proc   *process // nil if somebody starts the client
	stdin  *os.File
	peer   *peer // the client's connection
	said   []int // how much had come before each answer
}

// try runs one case. The error means that no further one has to be tried.
func (r *clientRunner) try(c *clientCase) (Result, error) {
	begun := time.Now()
	r.discard()
	v := &visit{clientRunner: r, c: c, outcome: outcome{verdict: Pass}}
	defer v.end()
	if err := v.begin(); err != nil {
		return Result{}, err
	}
	err := v.accept()
	if err == nil {
		c.converse(v)
	} else if !r.reached && !v.crashed() {
		return Result{}, err
	} else if !c.refusable {
		n := c.size
		if c.files != nil {
			n = c.files[0]
		}
		v.note(Fail, err.Error(), misfit(nil, n))
	}
	v.judge()
	if text := v.decoded(); text != "" && !strings.Contains(v.saw, text) {
		v.saw = strings.TrimPrefix(v.saw+"; it sent "+text, "; ")
	}
	return Result{ID: c.id, Task: r.Task.String(), Verdict: v.verdict, Title: c.title, Expected: c.want,
		Sent: strings.Join(v.sent, "; "), Saw: v.saw, Why: v.why, Seconds: time.Since(begun).Seconds()}, nil
}

// decoded is what the client sent so far, in words.
func (v *visit) decoded() string {
	if v.peer == nil {
		return ""
	}
	heard, _ := v.peer.state()
	var turns []stretch
	from := 0
	for _, to := range append(v.said, len(heard)) {
		turns = append(turns, stretchOf([]byte(heard[from:to])))
		from = to
	}
	return printable(decode(v.Task, turns).String())
}

// seen is decoded, or that there is nothing.
func (v *visit) seen() string {
	if text := v.decoded(); text != "" {
		return text
	}
	return "nothing"
}

// begin makes the files and starts the command, or tells what is to be done.
func (v *visit) begin() error {
	kind, number := "text", "1"
	switch {
	case v.c.files != nil:
		kind, number = "file", "1"
		for i, n := range v.c.files {
			body := randomBody(fmt.Sprintf("%s %d", v.c.id, i), n)
			name := filepath.Join("files", fmt.Sprintf("%s%s-%d.bin", prefix, strings.ReplaceAll(v.c.id, ".", "-"), i+1))
			if err := os.WriteFile(filepath.Join(v.room, name), body, 0o644); err != nil {
				return err
			}
			v.values, v.bodies = append(v.values, name), append(v.bodies, body)
		}
	case v.c.size >= 0:
		kind, number = "random", "2"
		v.values = []string{fmt.Sprint(v.c.size)}
	default:
		v.values = []string{v.c.text}
	}
	if len(v.Command) == 0 {
		v.Tell(v.c.id + ": " + v.instruction(kind))
		return nil
	}
	host, port, _ := net.SplitHostPort(v.Addr)
	words := map[string]string{"{host}": host, "{port}": port, "{kind}": kind, "{type}": number, "{value}": v.values[0]}
	fill := func(s string) string {
		for word, value := range words {
			s = strings.ReplaceAll(s, word, value)
		}
		return s
	}
	var argv []string
	given := false // as an argument, so that nothing is typed
	for _, arg := range v.Command {
		given = given || strings.Contains(arg, "{value")
		if arg == "{values}" {
			argv = append(argv, v.values...)
		} else {
			argv = append(argv, fill(arg))
		}
	}
	lines := strings.Join(v.values, "\n") + "\n"
	if v.Type != "" {
		lines = fill(strings.ReplaceAll(v.Type, "{values}", strings.Join(v.values, "\n")))
	} else if given {
		lines = ""
	}
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer from.Close()
	v.stdin = to
	if v.proc, err = start(argv, v.room, from); err != nil {
		return err
	}
	go to.WriteString(lines) // ends with the client or with the case
	return nil
}

// instruction is what somebody has to do with the client.
func (v *visit) instruction(kind string) string {
	switch kind {
	case "file":
		var paths []string
		for _, name := range v.values {
			paths = append(paths, filepath.Join(v.room, name))
		}
		return "let the client send " + strings.Join(paths, ", then on the same connection ")
	case "random":
		return "let the client send " + counted(v.c.size) + " of random data"
	}
	switch n := len(v.c.text); {
	case n == 0:
		return "let the client connect"
	case n > 60:
		return fmt.Sprintf("let the client send %d times %q", n/2, "å")
	}
	return fmt.Sprintf("let the client send %q", v.c.text)
}

// accept waits for the client's connection.
func (v *visit) accept() error {
	limit, over := maxByHand, (<-chan struct{})(nil)
	if v.proc != nil {
		limit, over = v.long(), v.proc.over
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	conn := net.Conn(nil)
	select {
	case conn = <-v.conns:
	case <-v.ctx.Done():
		return v.ctx.Err()
	case <-timer.C:
		return fmt.Errorf("%w at %s within %v", ErrUnreached, v.Addr, limit)
	case <-over:
		select { // it may have connected, sent all and ended
		case conn = <-v.conns:
		case <-time.After(max(pieces, v.Timeout/4)):
			return fmt.Errorf("%w: the command ended", ErrUnreached)
		}
	}
	v.reached = true
	v.peer = newPeerOf(v.ctx, conn, maxHeardOfFile, v.c.slow)
	return nil
}

// crashed reports whether the command ended by an error of its own, and not because it
// connected elsewhere.
func (v *visit) crashed() bool {
	if v.proc == nil {
		return false
	}
	died := v.proc.output.quote(0, "")
	return died != "" && !strings.Contains(died, "ConnectionRefused")
}

// judge adds how the client itself got on.
func (v *visit) judge() {
	if v.proc == nil {
		if v.c.deadly && v.verdict == Pass {
			v.note(CannotTell, "", "-- COMMAND, which starts the client, shows whether it goes on")
		}
		return
	}
	if v.peer != nil {
		v.peer.conn.CloseWrite() // it may wait for more
	}
	select {
	case <-v.proc.over:
	case <-time.After(v.Timeout / 2): // it asks for more
	case <-v.ctx.Done():
	}
	if died := v.proc.output.quote(0, ""); died != "" {
		if v.verdict == Fail {
			v.saw += "; it printed " + died
			return
		}
		v.note(v.c.death, "the client died: "+died, "try/except around what may fail: connect(), recv() and decode()")
	}
}

// end ends the client and its connection.
func (v *visit) end() {
	if v.stdin != nil {
		v.stdin.Close()
	}
	if v.proc != nil {
		v.proc.stop()
	}
	if v.peer != nil {
		v.peer.close()
	}
}

// fit returns how n bytes of contents say their number in front. Other bytes may follow.
func fit(got []byte, n int) (r reading, ok bool) {
	for _, r := range readingsOf(got) {
		if r.spoken && r.size == uint64(n) && len(got) >= r.header+n {
			return r, true
		}
	}
	return r, false
}

// contents expects n bytes behind their size from the byte from of what came on, the
// bytes of body if it is not nil. It returns where they end.
func (v *visit) contents(from, n int, body []byte) (end int) {
	complete := func(heard string, end ending) bool {
		_, ok := fit([]byte(heard)[min(from, len(heard)):], n)
		return ok || end != open
	}
	v.peer.await(5*v.Timeout, complete)
	heard, _ := v.peer.state()
	got := []byte(heard)[min(from, len(heard)):]
	r, ok := fit(got, n)
	if !ok {
		v.note(Fail, v.seen(), misfit(got, n))
		return from
	}
	end = r.header + n
	if v.Task != wire.LabExtra {
		v.peer.await(3*pieces, isOver)
		if more, _ := v.peer.state(); len(more)-from > end {
			v.note(Fail, fmt.Sprintf("%s more than the size says", counted(len(more)-from-end)), "send as many bytes as the size says")
		}
	}
	if body != nil {
		if l := compare(got[r.header:end], body); !l.same {
			v.note(Fail, l.saw, `the bytes of the file as they are: open(path, "rb")`)
		}
	}
	switch {
	case r.scheme.BigEndian:
		v.note(Warn, "the size is big-endian", "size.to_bytes(n, sys.byteorder), as the assignment writes it")
	case r.scheme.SizeBytes != 0 && r.scheme.SizeBytes != 4:
		v.note(Warn, r.scheme.String(), "the types 2 to 9 say how many bytes the size has")
	}
	return from + end
}

// misfit says what may be wrong with bytes that are not n behind their size.
func misfit(got []byte, n int) string {
	switch {
	case len(got) == 0 && (n == 256 || n == 65536):
		return fmt.Sprintf("%d does not fit into the bytes of its size: n < 256 takes 1 byte, n < 65536 takes 2", n)
	case len(got) == 0:
		return "the client connects, and sends what it is told to"
	case slices.ContainsFunc(readingsOf(got), func(r reading) bool { return r.spoken && n > 0 && r.size == uint64(n) }):
		return "fewer bytes came than the size says: sendall(), as send() may send fewer"
	case len(got) == n+1 && n > 0, len(got) == n && n > 0:
		return "no size was sent: it stands between the type and the contents"
	case got[0] >= '0' && got[0] <= '9':
		return typeIsByte
	}
	return "a type of 2 to 9, the size in 1 to 8 bytes, and so many bytes of contents: sendall(), as send() may send fewer"
}

// name expects the name of a file from the byte from on, and returns where it ends, or
// 0 after a fail.
func (v *visit) name(file, from int) int {
	want := filepath.Base(v.values[file])
	v.peer.await(v.Timeout, func(heard string, end ending) bool {
		return len(heard) > from && strings.Contains(heard[from:], want) || end != open
	})
	heard, _ := v.peer.state()
	got := heard[min(from, len(heard)):]
	at := strings.Index(got, want)
	switch {
	case at < 0:
		v.note(Fail, v.seen(), "the type 1 and the name of the file")
		return 0
	case got[0] != 1:
		v.note(Fail, v.seen(), "a name is the byte 1, then the name: bytes([1])")
		return 0
	case strings.ContainsAny(got[1:at], `/\`):
		v.note(Warn, fmt.Sprintf("the name %q", got[1:at+len(want)]), "os.path.basename(path): the server need not know the folder")
	case at > 1:
		v.note(Warn, fmt.Sprintf("the name with % x in front", got[1:at]), "a name is the type 1 and the name; a server would need --name-bytes to know it")
	}
	return from + at + len(want)
}

// say sends an answer.
func (v *visit) say(text string) {
	heard, _ := v.peer.state()
	v.said = append(v.said, len(heard))
	v.peer.conn.Write([]byte(text))
	v.sent = append(v.sent, fmt.Sprintf("%.40q", text))
}

// more reports whether anything comes behind the byte from within a time.
func (v *visit) more(from int, limit time.Duration) bool {
	v.peer.await(limit, func(heard string, end ending) bool { return len(heard) > from || end != open })
	heard, _ := v.peer.state()
	return len(heard) > from
}

// heardText waits for n bytes, or for the end of what comes, and returns them.
func (v *visit) heardText(n int) []byte {
	v.peer.await(v.Timeout, func(heard string, end ending) bool { return len(heard) >= n || end != open })
	v.peer.await(pieces/2, isOver)
	heard, _ := v.peer.state()
	return []byte(heard)
}

// sameText compares a text with what came for it.
func (v *visit) sameText(got []byte, want string) {
	switch {
	case string(got) == want:
	case string(bytes.TrimRight(got, "\r\n")) == want:
		v.note(Warn, v.seen(), stripLine)
	case len(got) > 1 && string(got[1:]) == want:
		v.note(Fail, fmt.Sprintf("% x in front of the text", got[:1]), "task 3 has no type; from task 4 on it is the byte 1: bytes([1])")
	default:
		v.note(Fail, v.seen(), "text.encode('utf-8'), all of it")
	}
}

var errNoClient = errors.New("no client")

// next waits for something more on the connection, or for a new one.
func (v *visit) next(from int) error {
	deadline := time.After(v.Timeout)
	for tick := time.Tick(10 * time.Millisecond); ; {
		heard, end := v.peer.state()
		if len(heard) > from {
			return nil
		}
		select {
		case conn := <-v.conns:
			conn.Close()
			return errors.New("a new connection for the second file")
		case <-deadline:
			return errNoClient
		case <-v.ctx.Done():
			return errNoClient
		case <-tick:
			if end != open {
				select {
				case conn := <-v.conns:
					conn.Close()
					return errors.New("a new connection for the second file")
				case <-time.After(3 * pieces):
					return errors.New("the connection ended after the first file")
				}
			}
		}
	}
}
