package check

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/labnet/labnet/wire"
)

// sizeSchemes are tried in this order. The first is the assignment's example.
var sizeSchemes = []wire.LabScheme{
	{}, {SizeBytes: 4}, {SizeBytes: 2}, {SizeBytes: 8},
	{BigEndian: true}, {SizeBytes: 4, BigEndian: true}, {SizeBytes: 2, BigEndian: true}, {SizeBytes: 8, BigEndian: true},
	{SizeBytes: 1},
}

// findScheme finds out how the server reads names and sizes, and keeps it for the
// cases that follow.
func findScheme() step {
	return func(t *trial) {
		if t.FixedScheme {
			t.sent = append(t.sent, t.Scheme.String()+", as given")
		}
		if t.Task >= wire.Lab6 && !t.findNames() || t.FixedScheme {
			return
		}
		first, names := likeness{}, t.Scheme.NameBytes
		for i, s := range sizeSchemes {
			s.NameBytes = names
			t.Scheme = s
			works, under, l := t.probe(i, s)
			if i == 0 {
				first = l
			}
			if t.over {
				return
			}
			if !works {
				continue
			}
			if t.Task >= wire.Lab6 && s.NameBytes == 0 && under != "" && !strings.HasSuffix(under, t.name(10+i)) {
				t.findLength(s)
			}
			t.sent = append(t.sent, t.Scheme.String())
			switch {
			case s.BigEndian:
				t.find(Warn, "sizes are read big-endian", "int.from_bytes(size, sys.byteorder), as the assignment's clients write it; the cases that follow send big-endian")
			case s.SizeBytes != 0 && s.SizeBytes != 4:
				t.find(Warn, s.String(), "the assignment's types 2 to 9 say how many bytes the size has; the cases that follow send "+s.String())
			}
			return
		}
		t.Scheme = wire.LabScheme{NameBytes: names}
		if t.Dir == "" {
			t.find(CannotTell, first.saw, "--dir FOLDER, where the server stores files, shows how it reads sizes; the cases that follow send types 2 to 9")
			return
		}
		saw, why := first.saw, first.why
		if saw == "" {
			saw = "no new file, whichever way the size was written"
		}
		if why == "" {
			why = "a type of 2 to 9, then the size in 1 to 8 bytes, then so many bytes of contents: compare what the server reads with this, and that it saves all"
		}
		t.find(Fail, saw, why)
	}
}

// findLength finds out whether names have their length in front after all: a server
// that reads one takes the beginning of a name for it, and says OK all the same.
func (t *trial) findLength(s wire.LabScheme) {
	for i, names := range nameSchemes[1:] {
		s.NameBytes = names.NameBytes
		if names.BigEndian != s.BigEndian {
			continue
		}
		_, under, _ := t.probe(40+i, s)
		if t.over {
			return
		}
		if under == t.name(50+i) {
			t.Scheme = s
			t.findNamesLong(s)
			return
		}
	}
}

// findNamesLong notes that names have their length in front.
func (t *trial) findNamesLong(s wire.LabScheme) {
	t.find(Warn, "names are read with their length in front, in "+counted(s.NameBytes), "a name is the type 1 and the name; the cases that follow send the length")
}

// probe sends 300 bytes as s says. It reports whether they were taken, and under which
// name if that shows; otherwise what was seen.
func (t *trial) probe(i int, s wire.LabScheme) (works bool, under string, l likeness) {
	n := 300
	if s.SizeBytes == 1 {
		n = 200
	}
	file := 10 + i
	before, body := list(t.Dir, true), t.body(file, n)
	if t.proc != nil && t.proc.hasEnded() || !t.alive {
		if err := t.ready(); err != nil {
			t.find(Fail, "the server does not run any more", tryExcept)
			return false, "", likeness{}
		}
	}
	conn, err := t.dial()
	if err != nil {
		t.alive = false
		return false, "", likeness{saw: "connection refused"}
	}
	p := newPeer(t.ctx, conn)
	defer p.close()
	if t.Task >= wire.Lab6 {
		conn.Write(s.AppendText(nil, t.name(file)))
		if !p.await(t.Timeout, func(heard string, end ending) bool { return strings.Contains(heard, "OK") || end != open }) {
			return false, "", likeness{saw: "no OK"}
		}
	}
	conn.Write(append(s.AppendSize(nil, uint64(n)), body...))
	if t.Dir == "" {
		p.await(t.tryTime(), isOver)
		_, end := p.state()
		return end == ended, "", likeness{saw: "the connections did not end when all bytes had come"}
	}
	time.Sleep(20 * time.Millisecond)
	p.conn.CloseWrite()
	p.await(t.tryTime(), isOver)
	works = t.awaitFile(before, t.tryTime()/2, func(name string, got []byte) bool {
		if l = compare(got, body); !l.same {
			l.saw = filepath.Base(name) + ": " + l.saw
		}
		under = filepath.Base(name)
		return l.same
	})
	return works, under, l
}

// nameSchemes are tried in this order. The first is the assignment's.
var nameSchemes = []wire.LabScheme{{}, {NameBytes: 2}, {NameBytes: 1}, {NameBytes: 4}, {NameBytes: 2, BigEndian: true}, {NameBytes: 4, BigEndian: true}}

// findNames finds out whether names have their length in front.
func (t *trial) findNames() bool {
	schemes := nameSchemes
	if t.FixedScheme {
		schemes = []wire.LabScheme{t.Scheme}
	}
	heard := ""
	for i, s := range schemes {
		conn, err := t.dial()
		if err != nil {
			if err := t.ready(); err != nil {
				t.find(Fail, "connection refused", "the server ended")
				return false
			}
			continue
		}
		p := newPeer(t.ctx, conn)
		limit := t.tryTime()
		if i == 0 {
			limit = t.Timeout
		}
		conn.Write(s.AppendText(nil, t.name(30+i)))
		p.await(limit, func(heard string, end ending) bool { return strings.Contains(heard, "OK") || end != open })
		said, _ := p.state()
		if i == 0 {
			heard = said
		}
		if strings.Contains(said, "OK") {
			conn.Write(append(s.AppendSize(nil, 1), 'x')) // some loop for ever when a client leaves now
			p.conn.CloseWrite()
			p.await(t.tryTime(), isOver)
			p.close()
			t.Scheme.NameBytes = s.NameBytes
			if s.NameBytes != 0 && !t.FixedScheme {
				t.findNamesLong(s)
			}
			return true
		}
		p.close()
	}
	saw := "no OK after a name"
	if heard != "" {
		saw = fmt.Sprintf("it answered %.60q", heard)
	}
	t.find(Fail, saw, "after the type 1 and the name, send OK: conn.sendall(b'OK')")
	return false
}

// probeTypes finds out why no file came of a type 2.
func probeTypes() step {
	return func(t *trial) {
		if t.verdict != Fail || t.Dir == "" || t.proc != nil && t.proc.hasEnded() {
			return
		}
		for _, try := range []struct{ head, saw, why string }{
			{"2", "a file is saved after the character '2'", "the type is a byte and not a character: (2).to_bytes(1, 'big') and data[0] == 2"},
			{"\x01", "a file is saved after type 1", "type 1 is text, type 2 random bytes"},
			{"\x00", "a file is saved after type 0", "type 1 is text, type 2 random bytes"},
			{"", "a file is saved without a type", "the first byte is the type: read it with recv(1)"},
		} {
			before, body := list(t.Dir, true), t.body(20, 500)
			conn, err := t.dial()
			if err != nil {
				return
			}
			p := newPeer(t.ctx, conn)
			conn.Write(append([]byte(try.head), body...))
			p.conn.CloseWrite()
			found := t.awaitFile(before, t.tryTime(), func(_ string, got []byte) bool { return compare(got, body).same })
			p.close()
			if found {
				t.saw, t.why = try.saw, try.why
				return
			}
		}
	}
}
