package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// The types of message. A String is
//
//	01, length (2 bytes), UTF-8 text
//
// and a Data is
//
//	02 … 09, size (1 … 8 bytes: the type less one), that many bytes
//
// with every integer little-endian.
const (
	typeString = 0x01
	typeData1  = 0x02
	typeData8  = 0x09
)

const (
	// MaxString is the most bytes that a String of a client holds.
	MaxString = 4096
	// MaxReply is the most bytes that a String of a server holds.
	MaxReply = 1<<16 - 1
	// maxHeader is the length of the longest header: that of a Data with an
	// 8-byte size.
	maxHeader = 9
	// readAhead is a buffer that holds any String of a client with its header, so
	// that a message is examined before it is consumed. Bodies bypass it.
	readAhead = 8 << 10
)

// Errors of a stream that is not made of messages. Nothing that follows such
// an error can be understood.
var (
	ErrType   = errors.New("unknown message type")
	ErrLength = errors.New("string longer than 4096 bytes")
	ErrUTF8   = errors.New("text is not valid UTF-8")
)

// A Header is what precedes the contents of a message.
type Header struct {
	// Type is 1 for a String and 2 … 9 for a Data.
	Type byte
	// Size is the length of the contents in bytes.
	Size uint64
}

// IsString reports whether the message is a String; otherwise it is a Data.
func (h Header) IsString() bool { return h.Type == typeString }

// StringHeader returns the header of a String of n bytes, at most MaxReply.
func StringHeader(n int) Header { return Header{typeString, uint64(n)} }

// DataHeader returns the shortest header of a Data of size bytes.
func DataHeader(size uint64) Header {
	width := max(1, (bits.Len64(size)+7)/8)
	return Header{byte(typeData1 + width - 1), size}
}

// BlobHeader returns the header of a blob of size bytes. Its type is not 2: with that
// a server may wait to see whether the size was contents, see the lab dialect.
func BlobHeader(size uint64) Header {
	h := DataHeader(size)
	h.Type = max(h.Type, typeData1+1)
	return h
}

// Append appends the header's encoding to b.
func (h Header) Append(b []byte) []byte {
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], h.Size)
	return append(append(b, h.Type), size[:sizeWidth(h.Type)]...)
}

// sizeWidth is the number of bytes in which a message of type t says its size.
func sizeWidth(t byte) int {
	if t == typeString {
		return 2
	}
	return int(t - typeData1 + 1)
}

// ReadHeader takes the header of a client's message from r. The error is io.EOF
// if the stream ends before it, io.ErrUnexpectedEOF if the stream ends inside
// it, ErrType or ErrLength if it breaks the rules, or r's own.
func ReadHeader(r *bufio.Reader) (Header, error) { return readHeader(r, MaxString) }

// readHeader is ReadHeader where a String may have longest bytes.
func readHeader(r *bufio.Reader, longest uint64) (Header, error) {
	b, err := r.Peek(1)
	if err != nil {
		return Header{}, err
	}
	h := Header{Type: b[0]}
	if h.Type < typeString || h.Type > typeData8 {
		return h, ErrType
	}
	n := 1 + sizeWidth(h.Type)
	b, err = r.Peek(n)
	if err != nil {
		return h, unexpected(err)
	}
	var size [8]byte
	copy(size[:], b[1:])
	h.Size = binary.LittleEndian.Uint64(size[:])
	if h.IsString() && h.Size > longest {
		return h, ErrLength
	}
	_, err = r.Discard(n)
	return h, err
}

// ReadString takes the contents of a String whose header was h from r. The error
// is io.ErrUnexpectedEOF if the stream ends too early, ErrUTF8, or r's own.
func ReadString(r *bufio.Reader, h Header) (string, error) {
	if h.Size > uint64(r.Size()) {
		return readLongString(r, h)
	}
	b, err := r.Peek(int(h.Size))
	if err != nil {
		return "", unexpected(err)
	}
	if !utf8.Valid(b) {
		return "", ErrUTF8
	}
	s := string(b)
	_, err = r.Discard(len(b))
	return s, err
}

// readLongString is ReadString for more than r's buffer holds. Memory is allocated
// as the bytes arrive.
func readLongString(r *bufio.Reader, h Header) (string, error) {
	var b strings.Builder
	if _, err := io.CopyN(&b, r, int64(h.Size)); err != nil {
		return "", unexpected(err)
	}
	if !utf8.ValidString(b.String()) {
		return "", ErrUTF8
	}
	return b.String(), nil
}

// AppendString appends a String that holds text, which is valid UTF-8 and no
// longer than MaxReply, to b.
func AppendString(b []byte, text string) []byte {
	return append(StringHeader(len(text)).Append(b), text...)
}

const stringHeader = 3

// beginString reserves space for the header of a String whose contents are then
// appended. endString writes the header there, at start.
func beginString(b []byte) []byte { return StringHeader(0).Append(b) }

func endString(b []byte, start int) []byte {
	StringHeader(len(b) - start - stringHeader).Append(b[start:start])
	return b
}

// TruncateText returns text, or as much of its beginning as fits into max
// bytes without splitting a character.
func TruncateText(text string, max int) string {
	if len(text) <= max {
		return text
	}
	return text[:wholeRunes([]byte(text[:max]))]
}

// wholeRunes returns the length of b without a character that is cut at its
// end.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= max(0, len(b)-utf8.UTFMax); i-- {
		if utf8.RuneStart(b[i]) {
			if utf8.FullRune(b[i:]) {
				break
			}
			return i
		}
	}
	return len(b)
}

// unexpected turns the end of a stream inside a message into the error that
// it is.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
