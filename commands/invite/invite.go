// Package invite is about invitations: the line by which a server's operator invites a user, and the
// servers that a user has joined. docs/invitation.md specifies the line.
package invite

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/wire"
)

const (
	// Prefix begins every invitation of this version.
	Prefix = "labnet1-"
	// MaxAddrs is how many addresses an invitation has at most.
	MaxAddrs = 16

	maxFields   = 4096 // bytes of all fields
	headSize    = 2    // bytes of their length
	sumSize     = 4    // bytes of the checksum
	maxName     = 64   // bytes of a user's name
	maxText     = 255  // bytes of an address or of a server's name
	mustBeKnown = 128  // from this type on
)

// The types of fields.
const (
	fieldAddr   = 1
	fieldKey    = 2
	fieldToken  = 3
	fieldUser   = 4
	fieldUntil  = 5
	fieldServer = 6
)

// An Invitation is all that a user needs to send to a server.
type Invitation struct {
	Addrs  []string  // HOST:PORT, the best first; one at least
	Key    []byte    // SHA-256 of the server's public key; nil: a certificate that systems trust
	Token  string    // a secret
	User   string    // whose token it is
	Until  time.Time // when the token ends, to the second; zero: never
	Server string    // what to call the server
	Extra  []Field   // those that this version does not know
}

// A Field is one that this version does not know.
type Field struct {
	Type  byte
	Value []byte // 65535 bytes at most
}

// letters are digits and lower-case letters without i, l, o and u.
var letters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Encode returns the line of an invitation. It fails if Decode would.
func (inv *Invitation) Encode() (string, error) {
	fields := make([]byte, headSize, 256)
	add := func(kind byte, value []byte) {
		fields = append(fields, kind)
		fields = binary.BigEndian.AppendUint16(fields, uint16(len(value)))
		fields = append(fields, value...)
	}
	for _, addr := range inv.Addrs {
		add(fieldAddr, []byte(addr))
	}
	if inv.Key != nil {
		add(fieldKey, inv.Key)
	}
	add(fieldToken, []byte(inv.Token))
	add(fieldUser, []byte(inv.User))
	if !inv.Until.IsZero() {
		add(fieldUntil, binary.BigEndian.AppendUint64(nil, uint64(inv.Until.Unix())))
	}
	if inv.Server != "" {
		add(fieldServer, []byte(inv.Server))
	}
	for _, f := range inv.Extra {
		add(f.Type, f.Value)
	}
	n := len(fields) - headSize
	if n > maxFields {
		return "", fmt.Errorf("an invitation has at most %d bytes", maxFields)
	}
	binary.BigEndian.PutUint16(fields, uint16(n))
	line := Prefix + letters.EncodeToString(append(fields, sum(fields)...))
	_, err := Decode(line)
	return line, err
}

// sum is the checksum of a length and fields.
func sum(fields []byte) []byte {
	all := sha256.Sum256(append([]byte(Prefix), fields...))
	return all[:sumSize]
}

// Errors of an invitation that is not what it was when it was made.
var (
	ErrNone = problem.New("this is not an invitation", "bad-invitation",
		"an invitation begins with "+Prefix+"; the server's operator makes one with 'labnet invite NAME'")
	ErrNewer = problem.New("the invitation is for a newer version of labnet", "bad-invitation",
		"install the version that the server has; 'labnet version' shows this one")
	ErrMistyped = problem.New("the invitation contains a typing error: its checksum does not match", "bad-invitation",
		"copy and paste the whole line again")
)

// A CutError is about an invitation of which the end is missing.
type CutError struct{ Got, Want int } // letters behind the prefix; Want is 0 if even that is missing

func (e *CutError) Error() string {
	if e.Want == 0 {
		return "the invitation is cut off"
	}
	return fmt.Sprintf("the invitation is cut off: it has %d of %d letters", e.Got, e.Want)
}

func (e *CutError) Describe() problem.Description {
	return problem.Description{Kind: "bad-invitation", Hint: "copy the whole line; it may be wrapped over several"}
}

// beginning finds an invitation of any version.
var beginning = regexp.MustCompile(`(?i)labnet([0-9]+)-`)

// Decode reads the invitation in a text. It may be wrapped over lines, quoted, in
// capitals, and surrounded by other text. The error is ErrNone, ErrNewer, ErrMistyped, a
// *CutError, or about what a complete invitation says.
func Decode(text string) (*Invitation, error) {
	at := beginning.FindStringSubmatchIndex(text)
	switch {
	case at == nil:
		return nil, ErrNone
	case text[at[2]:at[3]] != "1":
		return nil, ErrNewer
	}
	fields, err := unwrap(text[at[1]:])
	if err != nil {
		return nil, err
	}
	return parse(fields)
}

// unwrap returns the fields in letters, which it checks.
func unwrap(text string) ([]byte, error) {
	var found []byte
	want := 0
	for _, r := range text {
		letter, ok := letterOf(r)
		if !ok {
			if isFiller(r) {
				continue
			}
			if r == 'u' || r == 'U' {
				return nil, ErrMistyped
			}
			break
		}
		if found = append(found, letter); len(found) == 4 { // 20 bits: the length is known
			b, _ := letters.DecodeString(string(found))
			n := int(binary.BigEndian.Uint16(b))
			if n > maxFields {
				return nil, ErrMistyped
			}
			want = letters.EncodedLen(headSize + n + sumSize)
		}
		if len(found) == want {
			break
		}
	}
	if len(found) != want || want == 0 {
		return nil, &CutError{len(found), want}
	}
	all, err := letters.DecodeString(string(found))
	if err != nil || letters.EncodeToString(all) != string(found) {
		return nil, ErrMistyped
	}
	fields, check := all[:len(all)-sumSize], all[len(all)-sumSize:]
	if !bytes.Equal(sum(fields), check) {
		return nil, ErrMistyped
	}
	return fields[headSize:], nil
}

// letterOf returns the letter that a person or a program may have written as r.
func letterOf(r rune) (byte, bool) {
	switch {
	case 'A' <= r && r <= 'Z':
		r += 'a' - 'A'
	}
	switch {
	case r == 'i' || r == 'l':
		r = '1'
	case r == 'o':
		r = '0'
	case r == 'u':
		return 0, false
	}
	return byte(r), '0' <= r && r <= '9' || 'a' <= r && r <= 'z'
}

// isFiller reports whether mail programs and terminals put a character between letters.
func isFiller(r rune) bool {
	return strings.ContainsRune(" \t\r\n\v\f>|=-\u00a0\u00ad\u200b\u200c\u200d\u2028\u2029\u2060\ufeff", r)
}

// parse reads fields.
func parse(fields []byte) (*Invitation, error) {
	inv := &Invitation{}
	seen := map[byte]bool{}
	for len(fields) > 0 {
		if len(fields) < 3 {
			return nil, malformed("a field is cut off")
		}
		kind, n := fields[0], int(binary.BigEndian.Uint16(fields[1:]))
		if fields = fields[3:]; n > len(fields) {
			return nil, malformed("a field is cut off")
		}
		value := fields[:n:n]
		fields = fields[n:]
		if seen[kind] && kind != fieldAddr && kind <= fieldServer {
			return nil, malformed(fmt.Sprintf("field %d is there twice", kind))
		}
		seen[kind] = true
		if err := inv.set(kind, value); err != nil {
			return nil, err
		}
	}
	if len(inv.Addrs) == 0 || !seen[fieldToken] || !seen[fieldUser] {
		return nil, malformed("it lacks an address, a token or a name")
	}
	return inv, nil
}

// set takes a field.
func (inv *Invitation) set(kind byte, value []byte) error {
	switch kind {
	case fieldAddr:
		if inv.Addrs = append(inv.Addrs, string(value)); len(inv.Addrs) > MaxAddrs {
			return malformed(fmt.Sprintf("it has more than %d addresses", MaxAddrs))
		}
		return checkAddr(string(value))
	case fieldKey:
		if inv.Key = value; len(value) != sha256.Size {
			return malformed("its fingerprint is not of 32 bytes")
		}
	case fieldToken:
		if inv.Token = string(value); !IsToken(inv.Token) {
			return malformed("its token is not valid")
		}
	case fieldUser:
		if inv.User = string(value); !isText(inv.User, maxName) {
			return malformed("its user's name is not valid")
		}
	case fieldUntil:
		if len(value) != 8 {
			return malformed("its end is not of 8 bytes")
		}
		seconds := binary.BigEndian.Uint64(value)
		if seconds == 0 || seconds > 253402300799 { // the end of the year 9999
			return malformed("its end is out of range")
		}
		inv.Until = time.Unix(int64(seconds), 0).UTC()
	case fieldServer:
		if inv.Server = string(value); !isText(inv.Server, maxText) {
			return malformed("its server's name is not valid")
		}
	default:
		if kind >= mustBeKnown {
			return ErrNewer
		}
		inv.Extra = append(inv.Extra, Field{kind, value})
	}
	return nil
}

func malformed(why string) error {
	return problem.New("the invitation is malformed: "+why, "bad-invitation", "ask the server's operator for another, made with 'labnet invite'")
}

func checkAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	n, numeric := strconv.ParseUint(port, 10, 16)
	if err != nil || numeric != nil || n == 0 || host == "" || !isText(addr, maxText) || strings.ContainsAny(addr, " /\\?#\"'@") {
		return malformed("it contains an address that is not HOST:PORT")
	}
	return nil
}

// isText reports whether s is a word that can be shown.
func isText(s string, limit int) bool {
	return s != "" && len(s) <= limit && utf8.ValidString(s) && escape.Name(s) == s
}

// IsToken reports whether a token is 16 to 1024 characters of ASCII without spaces.
func IsToken(token string) bool {
	outside := func(c byte) bool { return c <= ' ' || c > '~' }
	return len(token) >= wire.MinToken && len(token) <= wire.MaxToken && !slices.ContainsFunc([]byte(token), outside)
}
