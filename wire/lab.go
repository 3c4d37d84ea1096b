package wire

import "fmt"

// The lab dialect is what programs written in the course speak: a String without
// its length, ended by whatever one read returns, and replies that are bare bytes.
// The package comment says how each task speaks.

// A Lab is a task of the course, or none.
type Lab int

// The tasks of the course. Lab1 and Lab2 are alike on the wire.
const (
	Lab1 Lab = iota + 1
	Lab2
	Lab3
	Lab4
	Lab5
	Lab6
	LabExtra
)

// ParseLab reads a task: "1" … "6" or "extra".
func ParseLab(s string) (Lab, error) {
	for l := Lab1; l <= LabExtra; l++ {
		if s == l.String() {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is not a task of the course (1 to 6 or extra)", s)
}

func (l Lab) String() string {
	if l == LabExtra {
		return "extra"
	}
	return fmt.Sprint(int(l))
}

// LabTypeGuess says what a program probably meant by a type that is none.
func LabTypeGuess(kind byte) string {
	switch {
	case kind >= '0' && kind <= '9':
		return fmt.Sprintf("this is the character '%c', and a type is a byte", kind)
	case kind == 0:
		return "types begin at 1"
	case kind >= ' ' && kind <= '~':
		return fmt.Sprintf("this is the character '%c': a type has to stand first", kind)
	}
	return "types are 1 for text and 2 to 9 for bytes"
}

// replies reports whether a server of the task answers: those of tasks 1, 2, 4 and 5
// do not.
func (l Lab) replies() bool { return l == 0 || l == Lab3 || l >= Lab6 }

// A LabScheme is how a program of the course writes sizes and names. Its zero value
// is what the assignment's examples do.
type LabScheme struct {
	// SizeBytes is how many bytes every size has, behind a type of 2. With 0 the type
	// says it: 2 to 9 for 1 to 8 bytes.
	SizeBytes int
	// BigEndian has the most significant byte first.
	BigEndian bool
	// NameBytes is how many bytes in front of a name say its length, or 0 for none.
	NameBytes int
}

// AppendSize appends the type and size that stand before size bytes of contents.
func (s LabScheme) AppendSize(b []byte, size uint64) []byte {
	h := DataHeader(size)
	if s.SizeBytes == 0 {
		return s.appendInt(append(b, h.Type), size, sizeWidth(h.Type))
	}
	return s.appendInt(append(b, typeData1), size, s.SizeBytes)
}

// AppendText appends a text or a name with its type.
func (s LabScheme) AppendText(b []byte, text string) []byte {
	return append(s.appendInt(append(b, typeString), uint64(len(text)), s.NameBytes), text...)
}

// appendInt appends the width low bytes of n.
func (s LabScheme) appendInt(b []byte, n uint64, width int) []byte {
	for i := range width {
		if s.BigEndian {
			i = width - 1 - i
		}
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

// Most returns the largest size that the scheme can write.
func (s LabScheme) Most() uint64 {
	if s.SizeBytes == 0 || s.SizeBytes >= 8 {
		return 1<<63 - 1
	}
	return 1<<(8*s.SizeBytes) - 1
}

// String is as in "type 2 and 4 bytes, big-endian".
func (s LabScheme) String() string {
	text := "1 to 8 bytes, as the type says"
	if s.SizeBytes != 0 {
		text = fmt.Sprintf("type 2 and %d bytes", s.SizeBytes)
	}
	if s.BigEndian {
		text += ", big-endian"
	}
	if s.NameBytes != 0 {
		text += fmt.Sprintf("; names with their length in %d bytes", s.NameBytes)
	}
	return text
}
