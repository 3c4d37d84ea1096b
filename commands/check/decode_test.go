package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/labnet/labnet/wire"
)

// TestDecode has what clients send, between the answers that they get.
func TestDecode(t *testing.T) {
	body := string(randomBody("decode", 3000))
	large := string(randomBody("large", 20_000))
	long := strings.Repeat("å", 4096)
	types := wire.LabScheme{}.String()
	for _, test := range []struct {
		task  wire.Lab
		turns []string
		sent  string
		sizes string
		why   []string // parts of each
	}{
		{wire.Lab1, []string{""}, "", "", nil},
		{wire.Lab1, []string{"hello"}, `"hello"`, "", nil},
		{wire.Lab3, []string{"hello"}, `"hello"`, "", nil},
		{wire.Lab3, []string{"hello", "again"}, `"hello"|"again"`, "", []string{"a further text"}},
		{wire.Lab3, []string{long}, `"` + long[:60] + `" …, 8,192 bytes`, "", []string{"more than 4096 bytes"}},
		{wire.Lab3, []string{"caf\xe9"}, "63 61 66 e9", "", []string{"not UTF-8"}},
		{wire.Lab3, []string{"hello\n"}, `"hello\n"`, "", []string{"a newline"}},
		{wire.Lab3, []string{"\x01hello"}, "01 68 65 6c 6c 6f", "", []string{"no type in front"}},
		{wire.Lab3, []string{"\x1b[2J"}, "1b 5b 32 4a", "", nil},
		{wire.Lab4, []string{"\x01hello"}, `01 "hello"`, "", nil},
		{wire.Lab4, []string{"\x02" + body}, "02, 3,000 bytes", "", nil},
		{wire.Lab4, []string{"1hello"}, `"1hello"`, "", []string{"the character '1'"}},
		{wire.Lab4, []string{"\x04\xb8\x0b\x00" + body}, "04 b8 0b 00 ff 00 0a", "", []string{"task 4 has the types 1 and 2"}},
		{wire.Lab5, []string{"\x01hello"}, `01 "hello"`, "", nil},
		{wire.Lab5, []string{"\x03\xb8\x0b" + body}, "03 b8 0b, 3,000 bytes", types, nil},
		{wire.Lab5, []string{"\x05\xb8\x0b\x00\x00" + body}, "05 b8 0b 00 00, 3,000 bytes", types, nil},
		{wire.Lab5, []string{"\x02\xb8\x0b\x00\x00" + body}, "02 b8 0b 00 00, 3,000 bytes", "type 2 and 4 bytes", nil},
		{wire.Lab5, []string{"\x02\xb8\x0b" + body}, "02 b8 0b, 3,000 bytes", "type 2 and 2 bytes", []string{"--size-bytes 2"}},
		{wire.Lab5, []string{"\x02\xb8\x0b\x00\x00\x00\x00\x00\x00" + body}, "02 b8 0b 00 00 00 00 00 00, 3,000 bytes", "type 2 and 8 bytes", []string{"--size-bytes 8"}},
		{wire.Lab5, []string{"\x03\x0b\xb8" + body}, "03 0b b8, 3,000 bytes", types + ", big-endian", []string{"big-endian"}},
		{wire.Lab5, []string{"\x03\xb8\x0b\x00\x00" + body}, "03 b8 0b 00 00, 3,000 bytes", "4 bytes, which this type does not say", []string{"how many bytes"}},
		{wire.Lab5, []string{"\x02\x00"}, "02 00, 0 bytes", types, nil},
		{wire.Lab5, []string{"\x02" + body}, "02 ff 00 0a", "", []string{"type 2 says a size of 255 bytes, and 2,999 bytes came", "no size was sent"}},
		{wire.Lab5, []string{"\x09\xff\xff\xff\xff\xff\xff\xff\xffabc"}, "09 ff", "", []string{"18,446,744,073,709,551,615 bytes, and 3 bytes came", "no size"}},
		{wire.Lab5, []string{"\xb8\x0b\x00\x00" + body}, "b8 0b 00 00", "4 bytes without a type in front", []string{"type 0xb8"}},
		{wire.Lab6, []string{"\x01report.pdf", "\x03\xb8\x0b" + body}, `01 "report.pdf"|03 b8 0b, 3,000 bytes`, types, nil},
		{wire.Lab6, []string{"\x01\x0a\x00report.pdf", "\x03\xb8\x0b" + body}, `01 0a 00 "report.pdf"|03 b8 0b, 3,000 bytes`, types, []string{"--name-bytes 2"}},
		{wire.Lab6, []string{"\x01\x00\x0areport.pdf"}, `01 00 0a "report.pdf"`, "", []string{"in 2 bytes"}},
		{wire.Lab6, []string{"\x01\x0areport.pdf"}, `01 0a "report.pdf"`, "", []string{"in 1 byte:"}},
		{wire.Lab6, []string{"\x01/home/a\x03\xb8\x0b" + body[:1000], body[1000:]}, `01 "/home/a"|03 b8 0b, 3,000 bytes`, types, []string{"basename", "before the answer"}},
		{wire.LabExtra, []string{"\x01a", "\x03\xb8\x0b" + body + "\x01b", "\x02\x03abc"}, `01 "a"|03 b8 0b, 3,000 bytes|01 "b"|02 03, 3 bytes`, types, nil},
		{wire.LabExtra, []string{"\x01a", "\x03\x20\x4e" + large + "\x01b", "\x02\x03abc"}, `01 "a"|03 20 4e, 20,000 bytes|01 "b"|02 03, 3 bytes`, types, nil},
	} {
		var turns, ends []stretch
		for _, s := range test.turns {
			turns = append(turns, stretchOf([]byte(s)))
			var kept stretch // as for a connection, of which only the ends are kept
			for piece := range slices.Chunk([]byte(s), 700) {
				kept.add(piece)
			}
			ends = append(ends, kept)
		}
		for _, d := range []decoding{decode(test.task, turns), decode(test.task, ends)} {
			if got := strings.Join(d.sent, "|"); !strings.HasPrefix(got, test.sent) || test.sent == "" && got != "" {
				t.Errorf("task %s, %.20q: sent %s, want %s", test.task, test.turns, got, test.sent)
			}
			if got := strings.Join(d.sizes, "|"); got != test.sizes {
				t.Errorf("task %s, %.20q: sizes %s, want %s", test.task, test.turns, got, test.sizes)
			}
			if len(d.why) != len(test.why) {
				t.Errorf("task %s, %.20q: why %q, want %q", test.task, test.turns, d.why, test.why)
				continue
			}
			for i, part := range test.why {
				if !strings.Contains(d.why[i], part) {
					t.Errorf("task %s, %.20q: why %q, want %q", test.task, test.turns, d.why[i], part)
				}
			}
		}
	}
}

// FuzzDecode: whatever comes, something is told of it.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(6), []byte("\x01report.pdf\x03\x02\x00ab"), uint8(11))
	f.Add(uint8(5), []byte("\x09\xff\xff\xff\xff\xff\xff\xff\x7f"), uint8(1))
	f.Fuzz(func(t *testing.T, task uint8, sent []byte, cut uint8) {
		at := min(int(cut), len(sent))
		d := decode(wire.Lab1+wire.Lab(task%7), []stretch{stretchOf(sent[:at]), stretchOf(sent[at:])})
		if len(sent) > 0 && len(d.sent) == 0 {
			t.Error("nothing is told")
		}
	})
}
