package check

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/labnet/labnet/wire"
)

// An outcome is what is known of a case so far.
type outcome struct {
	sent     []string
	verdict  Verdict
	saw, why string
}

// note notes what is wrong. The worst counts.
func (o *outcome) note(v Verdict, saw, why string) {
	rank := map[Verdict]int{Pass: 0, CannotTell: 1, Warn: 2, Fail: 3}
	if rank[v] > rank[o.verdict] || o.verdict == v && o.saw == "" {
		o.verdict, o.saw, o.why = v, printable(saw), why
	}
}

// A trial is one run of a case.
type trial struct {
	*runner
	c       *serverCase
	peers   map[on]*peer
	names   map[int]string // of the files sent, by their number
	bodies  map[int][]byte
	before  listing
	above   listing // what was in the folder around
	printed int     // by the program, before
	began   time.Time

	outcome
	over, spin   bool // no further step; see whether the program spins
	needsRestart bool
}

func newTrial(r *runner, c *serverCase) *trial {
	r.run++
	t := &trial{runner: r, c: c, peers: map[on]*peer{}, names: map[int]string{}, bodies: map[int][]byte{}, outcome: outcome{verdict: Pass}, began: time.Now()}
	t.look()
	if r.proc != nil {
		t.printed = r.proc.output.printed()
	}
	return t
}

// look remembers which files there are.
func (t *trial) look() {
	if t.Dir != "" {
		t.before, t.above = list(t.Dir, true), list(filepath.Dir(t.Dir), false)
	}
}

// find notes what is wrong, and a fail ends the case.
func (t *trial) find(v Verdict, saw, why string) {
	t.note(v, saw, why)
	if v == Fail {
		t.over, t.needsRestart = true, true
	}
}

// judge adds what only who started the program can see.
func (t *trial) judge() {
	if t.proc == nil {
		return
	}
	if t.proc.hasEnded() {
		t.alive = false
		if t.verdict != Fail {
			t.find(Fail, "the program ended", "one client ended the server: try/except Exception in the function that serves a client")
		} else {
			t.saw += "; the program ended"
		}
	}
	if t.verdict == Pass || t.verdict == CannotTell {
		return
	}
	t.saw += t.proc.output.quote(t.printed, "; it printed ")
	if t.spin && !t.proc.hasEnded() {
		if n := busy(t.proc, 300*time.Millisecond); n > 0.6 {
			t.find(Fail, fmt.Sprintf("%s; it uses %.0f%% of a processor", t.saw, 100*n), "a thread runs for ever: recv() returns b'' when the client has left, so `if not data: break`")
		}
	}
}

// cleanUp ends the connections and removes the files of the case.
func (t *trial) cleanUp() {
	for _, p := range t.peers {
		p.close()
	}
	if t.proc != nil && (t.needsRestart || t.spin && t.verdict != Pass) {
		t.stop() // what follows has a server in good order
		t.alive = false
	}
	if t.Dir == "" || t.Keep {
		return
	}
	mine := func(path string) bool {
		if t.room != "" || strings.Contains(filepath.Base(path), prefix) {
			return true
		}
		got := readFile(path)
		for _, body := range t.bodies {
			if l := compare(got, body); len(got) > 8 && (l.same || l.why != "" || strings.HasPrefix(string(body), string(got)) || strings.HasPrefix(string(got), string(body))) {
				return true
			}
		}
		return false
	}
	for _, name := range list(t.Dir, true).since(t.before, false) {
		if path := filepath.Join(t.Dir, name); mine(path) {
			os.Remove(path)
		}
	}
	for _, name := range list(filepath.Dir(t.Dir), false).since(t.above, false) {
		if strings.Contains(name, prefix) {
			os.Remove(filepath.Join(filepath.Dir(t.Dir), name))
		}
	}
	if t.room == "" || t.c.folder {
		os.Remove(filepath.Join(t.Dir, folderName))
	}
}

// body returns the first n bytes of the contents of a file: random, but the same in
// every run.
func (t *trial) body(file, n int) []byte {
	b := t.bodies[file]
	if len(b) < n {
		b = randomBody(fmt.Sprintf("%s %d", t.c.id, file), n)
		if t.c.ascii {
			for i := range b {
				b[i] = 'a' + b[i]%26
			}
		}
		t.bodies[file] = b
	}
	return t.bodies[file][:n]
}

// randomBody returns n bytes, the same for the same seed.
func randomBody(seed string, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8(sha256.Sum256([]byte(seed))).Read(b)
	copy(b, []byte{0xFF, 0, '\n'}) // no text
	return b
}

// name returns the name of a file.
func (t *trial) name(file int) string {
	if t.names[file] == "" {
		name := fmt.Sprintf("%s%s-%d-%d", prefix, strings.ReplaceAll(t.c.id, ".", "-"), t.run, file)
		if t.c.name != "" {
			name += t.c.name
		}
		t.names[file] = name + ".bin"
	}
	return t.names[file]
}

// peer returns a connection, which is made now if it is not there.
func (t *trial) peer(at on) *peer {
	if p := t.peers[at]; p != nil {
		return p
	}
	conn, err := t.dial()
	if err != nil {
		t.alive = false
		t.find(Fail, "connection refused", "the server ended, or closed its listening socket")
		return nil
	}
	t.peers[at] = newPeer(t.ctx, conn)
	return t.peers[at]
}

// says begins what was sent with the connection, if there are several.
func (t *trial) says(at on, what string) {
	if at != A {
		what = string(at) + ": " + what
	}
	t.sent = append(t.sent, what)
}

// served reports whether the server serves a good client now, and what it saw if not.
func (t *trial) served(limit time.Duration) (ok bool, saw string) {
	conn, err := t.dial()
	if err != nil {
		t.alive = false
		return false, "connection refused"
	}
	p := newPeer(t.ctx, conn)
	defer p.close()
	switch t.Task {
	case wire.Lab1, wire.Lab2:
		return p.await(limit, isOver), "the next client's connection stayed open"
	case wire.Lab3:
		conn.Write([]byte("good"))
		answered := func(heard string, _ ending) bool { return strings.Contains(heard, "good") }
		if p.await(limit/2, answered) {
			return true, ""
		}
		p.conn.CloseWrite()
		return p.await(limit/2, answered), "the next client got no answer"
	case wire.Lab4, wire.Lab5:
		const size = 200
		before, body := list(t.Dir, true), t.body(99, size)
		head := []byte{2}
		if t.Task == wire.Lab5 {
			head = t.Scheme.AppendSize(nil, size)
		}
		conn.Write(append(head, body...))
		p.conn.CloseWrite()
		if t.Dir == "" {
			return p.await(limit, isOver), "the next client's connection stayed open"
		}
		return t.awaitFile(before, limit, func(_ string, got []byte) bool { return compare(got, body).same }), "the next client's bytes were not saved"
	}
	conn.Write(t.Scheme.AppendText(nil, fmt.Sprintf("%sgood-%d.bin", prefix, t.run)))
	if !p.await(limit, func(heard string, _ ending) bool { return strings.Contains(heard, "OK") }) {
		return false, "the next client's name got no OK"
	}
	conn.Write(append(t.Scheme.AppendSize(nil, 10), t.body(99, 10)...))
	p.conn.CloseWrite()
	p.await(limit/4, isOver)
	return true, ""
}

func isOver(_ string, end ending) bool { return end != open }

// awaitFile waits until a file that is new or changed has the contents that ok
// accepts, for at most limit, and longer as long as files grow.
func (t *trial) awaitFile(before listing, limit time.Duration, ok func(name string, got []byte) bool) bool {
	const most = time.Minute
	began, deadline := time.Now(), time.Now().Add(limit)
	seen := map[string]stamp{}
	for {
		now := list(t.Dir, true)
		for _, name := range now.since(before, false) {
			if seen[name] == now[name] {
				continue
			}
			seen[name] = now[name]
			deadline = time.Now().Add(limit)
			if ok(name, readFile(filepath.Join(t.Dir, name))) {
				return true
			}
		}
		if time.Now().After(deadline) || time.Since(began) > most || t.ctx.Err() != nil {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// dialNow is dial without a second try.
func (t *trial) dialNow() (net.Conn, error) { return net.DialTimeout("tcp", t.Addr, t.Timeout) }
