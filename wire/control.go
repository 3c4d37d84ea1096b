package wire

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"
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

// IsControl reports whether a String's text is a request or reply, rather than
// something that somebody said.
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

// Get returns the value of the first field called key, or "".
func (c Control) Get(key string) string {
	for _, f := range c.Fields {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// with appends a field, without the bytes that cannot stand in one. What a client
// sent may be quoted in it, cut within a character.
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

// formatTime writes t as seconds since 1970 with nine decimals.
func formatTime(t time.Time) string {
	var room [32]byte
	b := strconv.AppendInt(room[:0], t.Unix(), 10)
	point := len(b)
	b = strconv.AppendInt(b, 1e9+int64(t.Nanosecond()), 10)
	b[point] = '.' // in place of the 1
	return string(b)
}

// formatMode writes permission bits as four octal digits.
func formatMode(m fs.FileMode) string {
	return strconv.FormatUint(uint64(0o10000+m.Perm()), 8)[1:]
}

// folderOwner are the bits that every folder has for its owner.
const folderOwner = 0o700

// formatFolders writes the modes of folders, with commas between.
func formatFolders(modes []fs.FileMode) string {
	var b []byte
	for i, m := range modes {
		if i > 0 {
			b = append(b, ',')
		}
		if m != 0 {
			b = append(b, formatMode(m|folderOwner)...)
		}
	}
	return string(b)
}

// parseMode reads permission bits, and drops others.
func parseMode(s string) (fs.FileMode, error) {
	mode, err := strconv.ParseUint(s, 8, 32)
	if err != nil {
		return 0, ErrControl
	}
	return fs.FileMode(mode) & fs.ModePerm, nil
}

// parseFolders reads what formatFolders writes. There is one mode for each slash
// in the name at most.
func parseFolders(s, name string) (modes []fs.FileMode, err error) {
	if s == "" {
		return nil, nil
	}
	if strings.Count(s, ",") >= strings.Count(name, "/") {
		return nil, ErrControl
	}
	for text := range strings.SplitSeq(s, ",") {
		var mode fs.FileMode
		if text != "" {
			if mode, err = parseMode(text); err != nil {
				return nil, err
			}
			mode |= folderOwner
		}
		modes = append(modes, mode)
	}
	return modes, nil
}

// The times that an announcement may have: those of the years 1 to 9999.
const minTime, maxTime = -62135596800, 253402300799

// parseTime reads seconds since 1970, with up to nine decimals or none. Times that
// calendars and filesystems know nothing of are none.
func parseTime(s string) (time.Time, error) {
	whole, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(frac) > 9 {
		return time.Time{}, ErrControl
	}
	ns, err := strconv.ParseUint("0"+frac+strings.Repeat("0", 9-len(frac)), 10, 64)
	if err != nil {
		return time.Time{}, ErrControl
	}
	if sec < minTime || sec > maxTime {
		return time.Time{}, nil
	}
	return time.Unix(sec, int64(ns)), nil
}
