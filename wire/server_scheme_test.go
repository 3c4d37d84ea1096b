package wire_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

// inScheme is contents with a type and a size in width bytes.
func inScheme(kind byte, width int, order binary.ByteOrder, contents string) string {
	size := make([]byte, 8)
	order.PutUint64(size, uint64(len(contents)))
	if order == binary.ByteOrder(binary.BigEndian) {
		size = size[8-width:]
	}
	return string(kind) + string(size[:width]) + contents
}

// TestLabSchemes sends what programs of the course send that do not agree with each
// other how a size is written: no server keeps a wrong file, whatever comes in pieces.
func TestLabSchemes(t *testing.T) {
	little, big := binary.ByteOrder(binary.LittleEndian), binary.ByteOrder(binary.BigEndian)
	long := strings.Repeat("\x07\xff\x00\x02", 25_000)
	tests := []struct {
		name     string
		scheme   wire.LabScheme
		contents string
		send     string // "" for contents without any size, behind a type of 2
		kept     bool
	}{
		{"types", wire.LabScheme{}, long, inScheme(4, 3, little, long), true},
		{"types, one byte", wire.LabScheme{}, long[:255], inScheme(2, 1, little, long[:255]), true},
		{"types, nothing", wire.LabScheme{}, "", inScheme(2, 1, little, ""), true},
		{"types, three zeros", wire.LabScheme{}, "\x00\x00\x00", inScheme(2, 1, little, "\x00\x00\x00"), true},
		{"types, big-endian", wire.LabScheme{}, long, inScheme(4, 3, big, long), true},
		{"types, 256 bytes, big-endian", wire.LabScheme{}, long[:256], inScheme(3, 2, big, long[:256]), true},
		{"type 2 and 4 bytes", wire.LabScheme{}, long, inScheme(2, 4, little, long), true},
		{"type 2 and 4 bytes, 3", wire.LabScheme{}, "abc", inScheme(2, 4, little, "abc"), true},
		{"type 2 and 4 bytes, 200", wire.LabScheme{}, long[:200], inScheme(2, 4, little, long[:200]), true},
		{"type 2 and 4 bytes, 65536", wire.LabScheme{}, long[:65_536], inScheme(2, 4, little, long[:65_536]), true},
		{"type 2 and 4 bytes, big-endian", wire.LabScheme{}, long, inScheme(2, 4, big, long), true},
		{"type 2 and 8 bytes", wire.LabScheme{}, long, inScheme(2, 8, little, long), false},
		{"type 2 and 8 bytes, on purpose", wire.LabScheme{SizeBytes: 8}, long, inScheme(2, 8, little, long), true},
		{"type 2 and 2 bytes, on purpose", wire.LabScheme{SizeBytes: 2}, long[:300], inScheme(2, 2, little, long[:300]), true},
		{"big-endian, on purpose", wire.LabScheme{BigEndian: true}, long, inScheme(4, 3, big, long), true},
		{"no size", wire.LabScheme{}, long, "\x02" + long, false},
		{"more than the size", wire.LabScheme{}, long, inScheme(4, 3, little, long) + "\xff", false},
		{"less than the size", wire.LabScheme{}, long, inScheme(4, 3, little, long)[:5000], false},
	}
	for _, tt := range tests {
		for _, l := range []wire.Lab{wire.Lab5, wire.Lab6, wire.LabExtra} {
			for _, pieces := range []bool{false, true} {
				t.Run(tt.name+"/"+l.String(), func(t *testing.T) {
					serve(t, func(w *world) { w.server.Lab, w.server.Scheme = l, tt.scheme }, func(w *world) {
						p, name, want := w.dial(), "#1", ""
						if l >= wire.Lab6 {
							p.send("\x01report.pdf")
							name, want = "report.pdf", "OK"
							time.Sleep(200 * time.Millisecond)
							p.hearBare(want)
						}
						if pieces {
							head := min(len(tt.send), 5)
							p.send(tt.send[:head])
							time.Sleep(90 * time.Millisecond)
							p.send(tt.send[head:])
						} else {
							p.send(tt.send)
						}
						p.CloseWrite()
						time.Sleep(time.Second)
						synctest.Wait()
						files := map[string]string{name: tt.contents}
						if !tt.kept {
							files = nil
						}
						w.store.wantFiles(t, files)
						p.Close()
					})
				})
			}
		}
	}
}

// TestLabNames has names with their length in front, and what comes where one is due.
func TestLabNames(t *testing.T) {
	for width, want := range map[int]string{1: "\x01\x01f", 2: "\x01\x01\x00f", 4: "\x01\x01\x00\x00\x00f"} {
		serve(t, func(w *world) { w.server.Lab, w.server.Scheme.NameBytes = wire.Lab6, width }, func(w *world) {
			p := w.dial()
			p.send(want)
			time.Sleep(200 * time.Millisecond)
			p.hearBare("OK")
			p.send(data(2, "x"))
			p.CloseWrite()
			time.Sleep(time.Second)
			w.store.wantFiles(t, map[string]string{"f": "x"})
			p.Close()
		})
	}
	serve(t, task(wire.Lab6), func(w *world) {
		p := w.dial()
		p.send("\x03t.pdf")
		p.hearBare("ERROR: type 3 came where a name, type 1, is due")
		p.wantClosed()
	})
}

// TestLabTypeAlone: a program that sends the type and then asks somebody for the text
// may take as long as one that is idle.
func TestLabTypeAlone(t *testing.T) {
	for _, l := range []wire.Lab{0, wire.Lab4, wire.Lab6} {
		serve(t, task(l), func(w *world) {
			p := w.dial()
			p.send("\x01")
			time.Sleep(time.Minute)
			p.send("hello, world")
			time.Sleep(time.Second)
			if l != wire.Lab6 {
				w.wantDid("say hello, world")
			}
			if l != wire.Lab4 {
				p.hearBare("OK")
			}
			p.Close()
		})
	}
}
