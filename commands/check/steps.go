package check

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labnet/labnet/wire"
)

// on is a connection of a case.
type on byte

const (
	A on = 'A'
	B on = 'B'
)

// pieces is the pause between pieces that must arrive apart.
const pieces = 100 * time.Millisecond

// folderName is a folder that stands where a file is to be stored.
const folderName = prefix + "folder"

// A step does or expects one thing.
type step func(*trial)

// A part is bytes to send, and how a report calls them.
type part func(*trial) (bytes []byte, says string)

func raw(s string) part {
	return func(*trial) ([]byte, string) {
		if utf8.ValidString(s) && len(s) > 1 && s[0] >= ' ' {
			if len(s) > 60 {
				return []byte(s), fmt.Sprintf("%s × %q", group(len(s)), s[:1])
			}
			return []byte(s), fmt.Sprintf("%q", s)
		}
		return []byte(s), fmt.Sprintf("% x", s)
	}
}

// message is a text as the task has it.
func message(text string) part {
	return func(t *trial) ([]byte, string) {
		if t.Task == wire.Lab3 {
			return []byte(text), fmt.Sprintf("%q", text)
		}
		return append([]byte{1}, text...), fmt.Sprintf("01 %q", text)
	}
}

// size is the type and the size of contents.
func size(n int) part {
	return func(t *trial) ([]byte, string) {
		b := t.Scheme.AppendSize(nil, uint64(n))
		return b, fmt.Sprintf("% x", b)
	}
}

// data is the bytes of a file from one place to another.
func data(file, from, to int) part {
	return func(t *trial) ([]byte, string) {
		return t.body(file, max(to, 1))[from:to], group(to-from) + " bytes"
	}
}

// contents is bytes of the only file.
func contents(from, to int) part { return data(1, from, to) }

// name is the name of a file, with its type.
func name(file int) part {
	return func(t *trial) ([]byte, string) {
		return t.Scheme.AppendText(nil, t.name(file)), fmt.Sprintf("01 %q", t.name(file))
	}
}

// nameText is a name as it is given.
func nameText(text string) part {
	return func(t *trial) ([]byte, string) { return t.Scheme.AppendText(nil, text), fmt.Sprintf("01 %q", text) }
}

// send sends parts in one piece.
func (at on) send(parts ...part) step {
	return func(t *trial) {
		var all []byte
		var words []string
		for _, p := range parts {
			b, says := p(t)
			all, words = append(all, b...), append(words, says)
		}
		p := t.peer(at)
		if p == nil {
			return
		}
		t.says(at, strings.Join(words, ", "))
		p.conn.SetWriteDeadline(time.Now().Add(max(t.Timeout, time.Minute)))
		p.conn.Write(all) // what came of it shows elsewhere
	}
}

func (at on) connect() step {
	return func(t *trial) {
		if t.peer(at) != nil {
			t.says(at, "connect")
		}
	}
}

// inPieces sends parts 100 ms apart.
func (at on) inPieces(parts ...part) step {
	return func(t *trial) {
		for i, p := range parts {
			if i > 0 {
				time.Sleep(pieces)
			}
			at.send(p)(t)
			if t.over {
				return
			}
		}
		t.sent = append(t.sent, "100 ms apart")
	}
}

func pause(d time.Duration) step { return func(*trial) { time.Sleep(d) } }

// half ends the client's side.
func (at on) half() step {
	return func(t *trial) {
		if p := t.peer(at); p != nil {
			p.conn.CloseWrite()
			t.says(at, "end")
		}
	}
}

func (at on) close() step {
	return func(t *trial) {
		if p := t.peers[at]; p != nil {
			p.close()
			t.says(at, "close")
			delete(t.peers, at)
		}
	}
}

func (at on) reset() step {
	return func(t *trial) {
		if p := t.peer(at); p != nil {
			p.abort()
			t.says(at, "reset")
			delete(t.peers, at)
		}
	}
}

// ends expects the server to end the connection.
func (at on) ends(otherwise Verdict, why string) step {
	return func(t *trial) {
		if p := t.peer(at); p != nil && !p.await(t.Timeout, isOver) {
			t.find(otherwise, fmt.Sprintf("the connection was still open after %v", t.Timeout), why)
		}
	}
}

// endsOrderly is ends, and it should not be by a reset.
func (at on) endsOrderly(otherwise Verdict, why, whyReset string) step {
	return func(t *trial) {
		at.ends(otherwise, why)(t)
		if p := t.peers[at]; p != nil {
			if _, end := p.state(); end == reset {
				t.find(Warn, "the connection was reset", whyReset)
			}
		}
	}
}

// silent expects that nothing was answered.
func (at on) silent(why string) step {
	return func(t *trial) {
		if p := t.peers[at]; p != nil {
			if heard, _ := p.state(); heard != "" {
				t.find(Warn, fmt.Sprintf("it answered %.60q", heard), why)
			}
		}
	}
}

// answers expects the answer of Task 3 to a text.
func (at on) answers(text, why string) step {
	return func(t *trial) {
		p := t.peer(at)
		if p == nil {
			return
		}
		has := func(heard string, _ ending) bool { return strings.Contains(heard, text) }
		over := func(heard string, end ending) bool { return has(heard, end) || end != open }
		p.await(t.Timeout, over)
		heard, end := p.state()
		switch {
		case has(heard, end):
			if want := "Message: " + text; strings.TrimSpace(heard) != want {
				t.find(Warn, fmt.Sprintf("%.80q", heard), fmt.Sprintf("the answer is %.40q", want))
			}
			return
		case heard != "":
			if n := len(heard); n > 60 && strings.HasPrefix(text, heard[n-40:]) {
				t.find(Warn, fmt.Sprintf("an answer of %s bytes", group(n)), why)
			} else {
				t.find(Fail, fmt.Sprintf("it answered %.80q", heard), why)
			}
			return
		case end != open:
			t.find(Fail, "the connection ended without an answer", why)
			return
		}
		p.conn.CloseWrite()
		if p.await(t.Timeout, has) {
			t.find(Fail, "the answer came only when the client had ended its side", "a loop until recv() == b'' waits for the client's end: one recv(4096) will do")
			return
		}
		t.find(Fail, "no answer", why)
	}
}

// ok expects OK after a name.
func (at on) ok(otherwise Verdict, why string) step {
	return func(t *trial) {
		p := t.peer(at)
		if p == nil {
			return
		}
		p.await(t.Timeout, func(heard string, end ending) bool { return strings.Contains(heard, "OK") || end != open })
		heard, end := p.state()
		switch {
		case strings.TrimSpace(heard) == "OK" && heard == "OK":
		case strings.Contains(heard, "OK"):
			t.find(Warn, fmt.Sprintf("it answered %.60q", heard), "the answer is the two bytes OK: the lab's clients compare it")
		case heard != "":
			t.find(otherwise, fmt.Sprintf("it answered %.60q", heard), why)
		case end != open:
			t.find(otherwise, "the connection ended without an answer", why)
		default:
			t.find(otherwise, fmt.Sprintf("no OK within %v", t.Timeout), why)
		}
		p.forget()
		if t.verdict == Fail {
			t.over = true
		}
	}
}

// saved expects a file with the first n bytes, under its name if the task has one.
// Without the folder only a reset shows that it cannot be.
func (at on) saved(file, n int, otherwise Verdict, why string) step {
	return func(t *trial) {
		sent := t.body(file, max(n, 1))[:n]
		if t.Dir == "" {
			at.unseen(t, otherwise, why)
			return
		}
		best, under := likeness{saw: "no new file"}, ""
		want := t.names[file]
		found := t.awaitFile(t.before, t.Timeout, func(name string, got []byte) bool {
			if n == 0 && len(got) == 0 && want == "" {
				under = name
				return true
			}
			l := compare(got, sent)
			if !l.same && best.why == "" {
				best, best.saw = l, filepath.Base(name)+": "+l.saw
			}
			if l.same {
				under = name
			}
			return l.same && (want == "" || n > 0 || strings.Contains(name, strings.TrimSuffix(want, ".bin")))
		})
		switch {
		case !found:
			t.find(otherwise, best.saw, cmp.Or(best.why, why))
		case want != "" && under != want:
			t.find(Warn, "it is called "+under, "the file's name is the one that the client sent: "+want)
		}
	}
}

// unseen judges contents by how the connection ended.
func (at on) unseen(t *trial, otherwise Verdict, why string) {
	p := t.peer(at)
	if p == nil {
		return
	}
	p.await(t.Timeout, isOver)
	switch _, end := p.state(); end {
	case reset:
		t.find(otherwise, "the connection was reset: not all bytes were read", why)
	case ended:
		t.find(CannotTell, "an orderly end", "--dir FOLDER, where the server stores files, shows what was saved")
	default:
		t.find(CannotTell, "the connection stayed open", "--dir FOLDER, where the server stores files, shows what was saved")
	}
}

// nothing expects that no file remains, once the server has ended the connection.
func (at on) nothing(otherwise Verdict, why string) step {
	return func(t *trial) {
		if p := t.peers[at]; p != nil {
			p.await(t.Timeout, isOver)
		}
		if t.Dir == "" {
			t.find(CannotTell, "an end", "--dir FOLDER shows whether a file was saved")
			return
		}
		time.Sleep(pieces)
		for _, name := range list(t.Dir, true).since(t.before, false) {
			got := readFile(filepath.Join(t.Dir, name))
			t.find(otherwise, name+" with "+counted(len(got)), why)
		}
	}
}

// atMost expects no file with more than the n bytes that were announced.
func (at on) atMost(n int, why string) step {
	return func(t *trial) {
		if p := t.peers[at]; p != nil {
			p.await(t.Timeout, isOver)
		}
		if t.Dir == "" {
			t.find(CannotTell, "an end", "--dir FOLDER shows how much was saved")
			return
		}
		time.Sleep(pieces)
		for _, name := range list(t.Dir, true).since(t.before, false) {
			if got := readFile(filepath.Join(t.Dir, name)); len(got) > n {
				t.find(Fail, name+" with "+counted(len(got)), why)
			}
		}
	}
}

// grows expects n bytes on disk, wherever in the folder.
func grows(n int64, otherwise Verdict, why string) step {
	return func(t *trial) {
		if t.Dir == "" {
			t.find(CannotTell, "", "--dir FOLDER shows what is on the disk")
			return
		}
		var most int64
		for deadline := time.Now().Add(t.Timeout); ; time.Sleep(10 * time.Millisecond) {
			now, new := list(t.Dir, true), false
			for _, name := range now.since(t.before, true) {
				most, new = max(most, now[name].size), true
			}
			if new && most >= n {
				return
			}
			if time.Now().After(deadline) || t.ctx.Err() != nil {
				saw := "no new file"
				if new {
					saw = group(int(most)) + " bytes on the disk"
				}
				t.find(otherwise, saw, why)
				return
			}
		}
	}
}

const tryExcept = "one client ended the server: try/except Exception in the function that serves a client"

// alive expects that a good client is served.
func alive() step {
	return func(t *trial) {
		if ok, saw := t.served(t.Timeout); !ok {
			t.find(Fail, saw, tryExcept)
		}
	}
}

// spins looks whether the program loops, if the case failed.
func spins() step { return func(t *trial) { t.spin = true } }

// together expects B served while A is silent.
func together() step {
	return func(t *trial) {
		ok, saw := t.served(t.Timeout)
		if ok {
			return
		}
		A.close()(t)
		if ok, _ := t.served(t.Timeout); ok {
			t.find(Fail, saw+" until the first client left", "one client at a time: threading.Thread(target=handle, args=(conn, addr)).start()")
			return
		}
		t.find(Fail, saw+", also when the first client had left", "the server does not serve any more")
	}
}

// again expects that n connections are accepted, one after the other.
func again(n int) step {
	return func(t *trial) {
		for i := range n {
			conn, err := t.dialNow()
			if err != nil {
				time.Sleep(dialRetry)
				if conn, err = t.dialNow(); err == nil {
					conn.Close()
					t.find(Fail, fmt.Sprintf("connection %d was refused, and accepted 300 ms later", i+1),
						"the listening socket is made again for each client: socket/bind/listen belong before `while True`")
				} else {
					t.alive = false
					t.find(Fail, fmt.Sprintf("connection %d was refused", i+1), "the server ended after a client: accept() belongs into `while True`; see its traceback")
				}
				return
			}
			p := newPeer(t.ctx, conn)
			if t.Task <= wire.Lab2 {
				p.await(t.Timeout, isOver)
			} else {
				time.Sleep(20 * time.Millisecond)
			}
			p.close()
			time.Sleep(20 * time.Millisecond)
		}
		t.says(A, fmt.Sprintf("%d connections, one after the other", n))
		// Whether one is served further on is for the cases that know what that is: here
		// every mistake would have this name.
		if t.Task > wire.Lab2 {
			return
		}
		if ok, saw := t.served(t.Timeout); !ok {
			t.find(Fail, saw, "the server serves no further client: accept() belongs into `while True`")
		}
	}
}

// crowd expects n connections made at once to be closed.
func crowd(n int) step {
	return func(t *trial) {
		t.says(A, fmt.Sprintf("%d connections at once", n))
		var peers []*peer
		defer func() {
			for _, p := range peers {
				p.close()
			}
		}()
		for range n {
			conn, err := t.dialNow()
			if err != nil {
				t.find(Fail, fmt.Sprintf("the connection after %d was refused", len(peers)), "listen(n) says how many may wait")
				return
			}
			peers = append(peers, newPeer(t.ctx, conn))
		}
		deadline, still := time.Now().Add(t.Timeout+time.Second), 0
		for _, p := range peers {
			if !p.await(time.Until(deadline), isOver) {
				still++
			}
		}
		if still > 0 {
			t.find(Fail, fmt.Sprintf("%d of %d are still open", still, n), "listen(n) and locks: every client's socket must be closed")
		}
	}
}

// twoNames expects that two files of the same connection kind got two names.
func twoNames(why string) step {
	return func(t *trial) {
		if t.Dir == "" {
			t.find(CannotTell, "", "--dir FOLDER shows the names")
			return
		}
		if files := list(t.Dir, true).since(t.before, false); len(files) != 2 {
			t.find(Fail, fmt.Sprintf("%d new files: %s", len(files), strings.Join(files, ", ")), why)
		}
	}
}

// makeFolder puts a folder where a file is to be stored.
func makeFolder() step {
	return func(t *trial) {
		if t.Dir != "" {
			os.Mkdir(filepath.Join(t.Dir, folderName), 0o755)
		}
	}
}

// inside expects no file of ours above the folder.
func inside(why string) step {
	return func(t *trial) {
		if t.Dir == "" {
			t.find(CannotTell, "", "--dir FOLDER shows where the file was stored")
			return
		}
		time.Sleep(pieces)
		for _, name := range list(filepath.Dir(t.Dir), false).since(t.above, false) {
			if strings.Contains(name, prefix) {
				t.find(Fail, "../"+name+" was written, outside the folder", why)
			}
		}
	}
}

// fast expects the case to have taken no longer than a program may.
func fast(why string) step {
	return func(t *trial) {
		if took := time.Since(t.began); took > t.long() {
			t.find(Warn, fmt.Sprintf("it took %.1f s", took.Seconds()), why)
		}
	}
}

// cannotTell is for what does not show from outside.
func cannotTell(why string) step {
	return func(t *trial) { t.find(CannotTell, "", why) }
}
