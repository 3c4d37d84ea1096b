package wire

import (
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// The first words of requests and replies.
const (
	wordEnd     = "END"
	wordCancel  = "CANCEL"
	wordRestart = "RESTART"
	wordOK      = "OK"
	wordSaved   = "SAVED"
	wordError   = "ERROR"
	wordWait    = "WAIT"
	wordAuth    = "AUTH"
)

// reserved holds the words that cannot stand for a file name: those of this
// version, and those kept for later ones.
var reserved = map[string]bool{wordEnd: true, wordCancel: true, wordRestart: true, wordAuth: true, "HELLO": true}

// namePrefix may precede a file name that is announced, and must where the
// name is a reserved word. It is not part of the name.
const namePrefix = "./"

// ErrControl means that a String with a NUL byte is not a word and fields.
var ErrControl = errors.New("malformed request or reply")

// A Control is a request or a reply: a word, or a file name, followed by
// fields. In a String it reads
//
//	word NUL (key "=" value NUL)*
type Control struct {
	Word   string
	Fields []Field
}

// A Field is a key, which has no "=" and is not empty, and a value.
type Field struct{ Key, Value string }

// IsControl reports whether a String's text is a request or reply, rather than a
// text.
func IsControl(text string) bool { return strings.IndexByte(text, 0) >= 0 }

// ParseControl decodes the text of a String that has a NUL byte, or fails with
// ErrControl.
func ParseControl(text string) (Control, error) {
	word, rest, ok := strings.Cut(text, "\x00")
	if !ok {
		return Control{}, ErrControl
	}
	c := Control{Word: word}
	if rest != "" {
		c.Fields = make([]Field, 0, strings.Count(rest, "\x00"))
	}
	for rest != "" {
		var field string
		field, rest, ok = strings.Cut(rest, "\x00")
		key, value, isField := strings.Cut(field, "=")
		if !ok || !isField || key == "" {
			return Control{}, ErrControl
		}
		c.Fields = append(c.Fields, Field{key, value})
	}
	return c, nil
}

// Text encodes c as ParseControl decodes it.
func (c Control) Text() string { return string(c.appendText(nil)) }

func (c Control) appendText(b []byte) []byte {
	b = append(append(b, c.Word...), 0)
	for _, f := range c.Fields {
		b = append(append(b, f.Key...), '=')
		b = append(append(b, f.Value...), 0)
	}
	return b
}

// append appends the String that holds c to b.
func (c Control) append(b []byte) []byte {
	start := len(b)
	return endString(c.appendText(beginString(b)), start)
}

// Get returns the value of the first field called key, or "".
func (c Control) Get(key string) string {
	for _, f := range c.Fields {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// with appends a field, without bytes that a field cannot hold: a value may quote
// what a client sent, cut within a character.
func (c Control) with(key, value string) Control {
	value = strings.ToValidUTF8(strings.ReplaceAll(value, "\x00", ""), "\uFFFD")
	c.Fields = append(c.Fields, Field{key, value})
	return c
}

// withSum appends the size and the digest of some contents.
func (c Control) withSum(d Digest, s Sum) Control {
	return c.with("size", strconv.FormatInt(s.Size, 10)).with(d.Name, hex.EncodeToString(s.Digest))
}

// sum reads what withSum wrote. It fails with ErrControl unless both fields
// are there and well formed.
func (c Control) sum(d Digest) (Sum, error) {
	size, err := parseSize(c.Get("size"))
	if err != nil {
		return Sum{}, err
	}
	digest, err := hex.DecodeString(c.Get(d.Name))
	if err != nil || len(digest) != d.New().Size() {
		return Sum{}, ErrControl
	}
	return Sum{size, digest}, nil
}

// parseSize reads a number of bytes, in decimal digits.
func parseSize(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, ErrControl
	}
	return int64(n), nil
}
