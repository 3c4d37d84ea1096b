package check

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labnet/labnet/wire"
)

// A stretch is what a client sent without an answer in between, or the rest of it:
// how many bytes, and what is known of them at both ends.
type stretch struct {
	n          int
	head, tail []byte
}

func stretchOf(b []byte) stretch { return stretch{len(b), b, b} }

// from is the stretch without its first i bytes.
func (s stretch) from(i int) stretch {
	rest := s.n - i
	switch {
	case i <= len(s.head):
		return stretch{rest, s.head[i:], s.tail}
	case rest <= len(s.tail):
		return stretch{rest, s.tail[len(s.tail)-rest:], s.tail}
	}
	return stretch{rest, nil, s.tail}
}

// join is the stretch, and next behind it.
func (s stretch) join(next stretch) stretch {
	if s.n == len(s.head) {
		s.head = append(slices.Clip(s.head), next.head...)
	}
	if next.n == len(next.tail) {
		next.tail = append(slices.Clip(s.tail), next.tail...)
	}
	return stretch{s.n + next.n, s.head, next.tail}
}

// A reading is a way to read the type and the size in front of contents.
type reading struct {
	header int // bytes
	size   uint64
	scheme wire.LabScheme
	spoken bool // by labnet
}

func (r reading) String() string {
	if r.spoken {
		return r.scheme.String()
	}
	order := ""
	if r.scheme.BigEndian {
		order = ", big-endian"
	}
	return fmt.Sprintf("%d bytes%s, which this type does not say", r.header-1, order)
}

// readingsOf returns the ways to read the beginning of b, the likeliest first.
func readingsOf(b []byte) (list []reading) {
	if len(b) == 0 {
		return nil
	}
	kind := b[0]
	add := func(width int, r reading) {
		if r.header = 1 + width; len(b) < r.header || width == 1 && r.scheme.BigEndian {
			return
		}
		for i := range width {
			digit := b[width-i]
			if r.scheme.BigEndian {
				digit = b[1+i]
			}
			r.size = r.size<<8 | uint64(digit)
		}
		list = append(list, r)
	}
	for _, big := range []bool{false, true} {
		own := 0 // the width that the type says
		if kind >= 2 && kind <= 9 {
			own = int(kind) - 1
			add(own, reading{scheme: wire.LabScheme{BigEndian: big}, spoken: true})
		}
		for _, width := range []int{4, 2, 8, 1} {
			if width != own {
				add(width, reading{scheme: wire.LabScheme{SizeBytes: width, BigEndian: big}, spoken: kind == 2})
			}
		}
	}
	return list
}

// A decoding is what the bytes of a client mean in a task.
type decoding struct {
	task  wire.Lab
	later []stretch // not decoded yet
	sent  []string  // its messages
	sizes []string  // the ways to read a size that fit what came
	why   []string  // what is to be repaired, or worth knowing
}

// decode decodes what a client sent between the answers that it got.
func decode(task wire.Lab, turns []stretch) decoding {
	d := decoding{task: task}
	for i := 0; len(turns) > 0; i++ {
		s := turns[0]
		turns, d.later = turns[1:], turns[1:]
		switch {
		case s.n == 0:
		case task <= wire.Lab2:
			d.sent = append(d.sent, wordsOf(s))
		case task == wire.Lab3:
			d.rawText(s)
			if i > 0 {
				d.note("a further text on the connection is not read: task 3 has one for each")
			}
		default:
			d.messages(s)
			turns = d.later
		}
	}
	return d
}

func (d *decoding) note(why string) {
	if !slices.Contains(d.why, why) {
		d.why = append(d.why, why)
	}
}

// String is the messages, and how their sizes are written.
func (d decoding) String() string {
	text := strings.Join(d.sent, "; ")
	if len(d.sizes) > 0 {
		text += " (" + strings.Join(d.sizes, ", or ") + ")"
	}
	return text
}

const (
	overLong   = "more than 4096 bytes: text.encode()[:4096], as a letter may have 2 to 4 bytes"
	encodeUTF8 = "it is not UTF-8: text.encode('utf-8')"
	stripLine  = "a newline behind the text: input() gives a line without its end; strip() what readline() gives"
	typeIsByte = "the type is a byte and not a character: bytes([1]), bytes([2])"
)

// text notes what is wrong with a text or a name.
func (d *decoding) text(s stretch) {
	if s.n > wire.MaxString {
		d.note(overLong)
	}
	switch {
	case len(s.head) < s.n:
	case !utf8.Valid(s.head):
		d.note(encodeUTF8)
	case bytes.HasSuffix(s.head, []byte{'\n'}):
		d.note(stripLine)
	}
}

func (d *decoding) rawText(s stretch) {
	d.sent = append(d.sent, wordsOf(s))
	if len(s.head) > 1 && s.head[0] < '\t' {
		d.note("task 3 has no type in front of the text; from task 4 on it is the byte 1: bytes([1])")
		s = s.from(1)
	}
	d.text(s)
}

// messages takes what comes in tasks 4 to 6 and extra.
func (d *decoding) messages(s stretch) {
	for s.n > 0 {
		if len(s.head) == 0 {
			d.sent = append(d.sent, counted(s.n)+" more")
			return
		}
		switch kind := s.head[0]; {
		case kind == 1:
			s = d.typedText(s)
		case kind == 2 && d.task == wire.Lab4:
			d.sent = append(d.sent, "02, "+counted(s.n-1))
			return
		case kind >= 2 && kind <= 9 && d.task != wire.Lab4:
			s = d.contents(s)
		default:
			d.foreign(s)
			return
		}
	}
}

// typedText takes a type of 1 and what is behind it.
func (d *decoding) typedText(s stretch) stretch {
	s = s.from(1)
	if width, n := lengthInFront(s); width > 0 {
		d.sent = append(d.sent, fmt.Sprintf("01 % x %s", s.head[:width], wordsOf(stretchOf(s.head[width:width+n]))))
		d.note(fmt.Sprintf("the length stands in front of the text, in %s: the assignment has none; --name-bytes %d speaks it", counted(width), width))
		return s.from(width + n)
	}
	n := s.n
	if i := bytes.IndexFunc(s.head, func(r rune) bool { return r > 0 && r < '\t' }); i >= 0 {
		n = i // the next message begins
	}
	text := stretch{n, s.head[:min(n, len(s.head))], nil}
	d.sent = append(d.sent, "01 "+wordsOf(text))
	d.text(text)
	rest := s.from(n)
	if d.task >= wire.Lab6 {
		if bytes.ContainsAny(text.head, `/\`) {
			d.note("os.path.basename(path): the server need not know the folder")
		}
		if rest.n > 0 {
			d.note("contents before the answer: recv() it, and send the contents if it is OK")
		}
	}
	return rest
}

// lengthInFront returns the width of a number in front of a text that says its length,
// or 0, and the length.
func lengthInFront(s stretch) (width, n int) {
	for _, r := range readingsOf(append([]byte{2}, s.head[:min(8, len(s.head))]...)) {
		width := r.header - 1
		if r.size == 0 || r.size > wire.MaxString || width == 8 {
			continue
		}
		end := width + int(r.size)
		ends := end == s.n || end < len(s.head) && s.head[end] <= 9
		if ends && end <= len(s.head) && isText(s.head[width:end]) && bytes.ContainsFunc(s.head[:width], unicode.IsControl) {
			return width, int(r.size)
		}
	}
	return 0, 0
}

// contents takes contents with a type and a size in front.
func (d *decoding) contents(s stretch) stretch {
	var fits []reading
	follows := func(r reading) bool { // a name, in the extra tasks
		rest := s.from(r.header + int(r.size))
		return d.task == wire.LabExtra && len(rest.head) > 1 && rest.head[0] == 1 && isText(rest.head[1:min(len(rest.head), 60)])
	}
	readings := readingsOf(s.head)
	for _, r := range readings {
		most := uint64(s.n - r.header)
		if r.size == most || len(fits) == 0 && r.spoken && r.size < most && follows(r) {
			fits = append(fits, r)
		}
	}
	if len(fits) == 0 && len(d.later) > 0 && d.later[0].n > 0 { // it did not wait for an answer
		s, d.later = s.join(d.later[0]), d.later[1:]
		return d.contents(s)
	}
	if len(fits) == 0 {
		d.sent = append(d.sent, wordsOf(s))
		if len(readings) > 0 {
			r := readings[0]
			d.note(fmt.Sprintf("type %d says a size of %s bytes, and %s came", s.head[0], group(r.size), counted(s.n-r.header)))
		}
		d.note("no size was sent, or not all contents: the type, the size, and as many bytes as it says, by sendall()")
		return stretch{}
	}
	r := fits[0]
	d.sent = append(d.sent, fmt.Sprintf("% x, %s", s.head[:r.header], counted(int(r.size))))
	for _, r := range fits {
		d.size(r.String())
	}
	switch {
	case !r.spoken:
		d.note("the types 2 to 9 say how many bytes the size has, 1 to 8")
	case r.scheme.BigEndian:
		d.note("the size is big-endian: size.to_bytes(n, sys.byteorder), as the assignment writes it")
	case r.scheme.SizeBytes != 0 && r.scheme.SizeBytes != 4:
		d.note(fmt.Sprintf("the types 2 to 9 say how many bytes the size has; --size-bytes %d speaks this", r.scheme.SizeBytes))
	}
	return s.from(r.header + int(r.size))
}

func (d *decoding) size(words string) {
	if !slices.Contains(d.sizes, words) {
		d.sizes = append(d.sizes, words)
	}
}

// foreign takes what does not begin with a type.
func (d *decoding) foreign(s stretch) {
	d.sent = append(d.sent, wordsOf(s))
	kind := s.head[0]
	if d.task == wire.Lab4 && kind >= 2 && kind <= 9 {
		d.note("task 4 has the types 1 and 2; sizes come with task 5")
		return
	}
	d.note(fmt.Sprintf("type 0x%02x: %s", kind, wire.LabTypeGuess(kind)))
	for _, r := range readingsOf(append([]byte{2}, s.head[:min(8, len(s.head))]...)) {
		if width := r.header - 1; d.task >= wire.Lab5 && width > 1 && r.size == uint64(s.n-width) {
			d.size(fmt.Sprintf("%d bytes without a type in front", width))
		}
	}
}

// wordsOf quotes a text, and has the first bytes of anything else.
func wordsOf(s stretch) string {
	const shown = 60
	first := s.head[:min(shown, len(s.head))]
	for i := 0; i < utf8.UTFMax && len(first) > 0 && !utf8.Valid(first) && len(first) < s.n; i++ {
		first = first[:len(first)-1] // a character that was cut
	}
	switch {
	case s.n > 0 && !isText(first), len(first) == 0 && s.n > 0:
		first = s.head[:min(10, len(s.head))]
		if len(first) == s.n {
			return fmt.Sprintf("% x", first)
		}
		return fmt.Sprintf("% x …, %s", first, counted(s.n))
	case len(first) < s.n:
		return fmt.Sprintf("%q …, %s", first, counted(s.n))
	}
	return fmt.Sprintf("%q", first)
}

// isText reports whether b is what people write.
func isText(b []byte) bool {
	return utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) })
}
