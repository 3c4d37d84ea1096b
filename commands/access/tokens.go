package access

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/size"
	"github.com/labnet/labnet/storage"
)

const (
	// maxTokens is the most bytes of a tokens file: some hundred thousand users.
	maxTokens = 16 << 20
	// maxUserName is the most bytes of a user's name.
	maxUserName = 64
)

// rights are what a token may give a right to. Whoever has one may ping. Whoever may see
// the status is told of what all others send.
var rights = []string{"say", "blob", "upload", "status"}

// sending are those that a token gives if none are named.
var sending = rights[:3:3]

// A user is who has a token, as a line of a tokens file tells:
//
//	NAME SHA256HEX [say,blob,upload,status] [max-bytes=SIZE] [max-files=N] [dir=FOLDER] [until=TIME]
type user struct {
	name     string
	hash     [sha256.Size]byte // of the token
	rights   []string          // by default those to send
	maxBytes int64             // that may be in dir; 0 for any number
	maxFiles int64             // and folders; 0 for fileShare of maxBytes
	dir      string            // in which all that the user sends is kept; "" is the store itself
	until    time.Time         // when the token ends; zero is never
}

const (
	// freeFiles and fileShare are how many files and folders a quota of bytes allows
	// by itself: so many, and one more for so many bytes. Each takes up about as much
	// of a disk, even if it is empty.
	freeFiles = 1000
	fileShare = 4 << 10
)

// quota is what may be in the user's folder, and whether there is a limit.
func (u *user) quota() (limit storage.Usage, limited bool) {
	limit = storage.Usage{Bytes: u.maxBytes, Files: u.maxFiles}
	switch {
	case u.maxBytes == 0 && u.maxFiles == 0:
		return limit, false
	case u.maxBytes == 0:
		limit.Bytes = math.MaxInt64
	case u.maxFiles == 0:
		limit.Files = freeFiles + u.maxBytes/fileShare
	}
	return limit, true
}

// expired reports whether the token has ended.
func (u *user) expired() bool { return !u.until.IsZero() && !time.Now().Before(u.until) }

// users are those of a tokens file.
type users struct {
	list     []user
	byName   map[string]*user
	sum      [sha256.Size]byte // of the file
	modified time.Time
}

// find returns the user who has a token. How long it takes depends on how many
// users there are, and on the token's length: it compares with every one, and each
// time all of the hash. Since it compares hashes, a shorter time could tell nothing
// about another token either.
func (u *users) find(token string) (*user, bool) {
	hash := sha256.Sum256([]byte(token))
	found := -1
	for i := range u.list {
		same := subtle.ConstantTimeCompare(u.list[i].hash[:], hash[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return nil, false
	}
	return &u.list[found], true
}

// A lineError is about a line of a file.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

func (e *lineError) Describe() problem.Description {
	return problem.Description{Kind: "failed", Hint: tokensHint}
}

const tokensHint = "a line is NAME SHA256HEX [say,blob,upload,status] [max-bytes=SIZE] [max-files=N] [dir=FOLDER] [until=TIME]; printf %s TOKEN | sha256sum prints SHA256HEX"

var (
	errNoUsers   = problem.New("it lists no users", "failed", tokensHint)
	errWritable  = problem.New("others can write to it", "failed", "chmod go-w it: anyone who can write to it can add users")
	errNoDir     = errors.New("max-bytes and max-files limit what is in a folder of the user: name one, too (dir=FOLDER, or invite --dir FOLDER)")
	errNoToken   = errors.New("that is the hash of an empty token")
	errNotTokens = errors.New("not a file")
)

// readUsers reads a tokens file. Everybody may read it, since nobody can find the
// tokens by their hashes, but only its owner may write to it.
func readUsers(file string) (*users, error) {
	f, err := storage.OpenFile(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err == nil {
		err = checkTokens(file, fi)
	}
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxTokens+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxTokens {
		return nil, fmt.Errorf("it has more than %d bytes", maxTokens)
	}
	all, err := parseUsers(text)
	if err != nil {
		return nil, err
	}
	all.sum, all.modified = sha256.Sum256(text), fi.ModTime()
	return all, nil
}

// checkTokens checks what a tokens file is, and where, before it is read.
func checkTokens(file string, fi fs.FileInfo) error {
	switch {
	case !fi.Mode().IsRegular():
		return errNotTokens
	case fi.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows":
		return errWritable
	}
	return checkPlace(file, fi)
}

// nobody is a line of its own in a file that lists no users on purpose. Any other file
// without users is taken for an accident.
const nobody = "nobody"

// parseUsers reads what is in a tokens file. It fails with errNoUsers or a
// *lineError.
func parseUsers(text []byte) (*users, error) {
	all := &users{byName: map[string]*user{}}
	lines := map[[sha256.Size]byte]int{}
	n, none := 0, 0
	for line := range bytes.Lines(text) {
		n++
		words := wordsOf(line)
		if len(words) == 0 {
			continue
		}
		if len(words) == 1 && words[0] == nobody {
			none = n
			continue
		}
		u, err := parseUser(words)
		if err == nil && lines[u.hash] > 0 {
			err = fmt.Errorf("the token is that of line %d", lines[u.hash])
		}
		if err == nil && all.byName[u.name] != nil {
			err = fmt.Errorf("%s has a line already", u.name)
		}
		if err != nil {
			return nil, &lineError{n, err}
		}
		lines[u.hash] = n
		all.byName[u.name] = &u
		all.list = append(all.list, u)
	}
	switch {
	case len(all.list) == 0 && none == 0:
		return nil, errNoUsers
	case len(all.list) > 0 && none > 0:
		return nil, &lineError{none, errors.New("nobody may send, but there are users")}
	}
	return all, nil
}

// wordsOf returns the words of a line, without a comment.
func wordsOf(line []byte) []string {
	words := strings.Fields(string(line))
	if comment := slices.IndexFunc(words, func(w string) bool { return w[0] == '#' }); comment >= 0 {
		words = words[:comment]
	}
	return words
}

// parseUser reads the words of a line.
func parseUser(words []string) (u user, err error) {
	u = user{name: words[0]}
	if !isUserName(u.name) {
		return u, fmt.Errorf("%q is no name: it is made of up to %d letters, digits and . _ - @, and begins with one of the first two", u.name, maxUserName)
	}
	if len(words) < 2 {
		return u, errors.New("a name and the SHA-256 of a token make a line")
	}
	hash, err := hex.DecodeString(words[1])
	if err != nil || len(hash) != len(u.hash) {
		return u, errors.New("the name must be followed by a SHA-256 of 64 hexadecimal digits")
	}
	u.hash = [sha256.Size]byte(hash)
	for _, empty := range []string{"", "\n"} {
		if u.hash == sha256.Sum256([]byte(empty)) {
			return u, errNoToken
		}
	}
	for _, word := range words[2:] {
		if err := u.set(word); err != nil {
			return u, err
		}
	}
	if u.rights == nil {
		u.rights = sending
	}
	if (u.maxBytes > 0 || u.maxFiles > 0) && u.dir == "" {
		return u, errNoDir
	}
	return u, nil
}

// set takes one word of those that may be missing.
func (u *user) set(word string) error {
	key, value, isOption := strings.Cut(word, "=")
	switch {
	case !isOption && u.rights == nil:
		for right := range strings.SplitSeq(word, ",") {
			if !slices.Contains(rights, right) {
				return fmt.Errorf("%q is none of %s", right, strings.Join(rights, ", "))
			}
			if slices.Contains(u.rights, right) {
				return fmt.Errorf("%s is there twice", right)
			}
			u.rights = append(u.rights, right)
		}
	case key == "max-bytes" && u.maxBytes == 0:
		n, err := size.Parse(value)
		if err != nil || n == 0 {
			return fmt.Errorf("max-bytes: %q is not a size such as 500MB or 2GiB", value)
		}
		u.maxBytes = n
	case key == "max-files" && u.maxFiles == 0:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n <= 0 {
			return fmt.Errorf("max-files: %q is not a number above 0", value)
		}
		u.maxFiles = n
	case key == "dir" && u.dir == "":
		u.dir = value
		return storage.Portable.Check(value)
	case key == "until" && u.until.IsZero():
		until, err := ParseUntil(value)
		if err != nil {
			return fmt.Errorf("until: %w", err)
		}
		u.until = until
	default:
		return fmt.Errorf("%q is not [say,blob,upload,status] [max-bytes=SIZE] [max-files=N] [dir=FOLDER] [until=TIME], each once", word)
	}
	return nil
}

// ParseUntil reads when a token ends: a time as in RFC 3339, or a day, of which it is
// the end in UTC.
func ParseUntil(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Unix() <= 0 || at.Year() > 9999 {
		return at, fmt.Errorf("%q is not a day such as 2026-12-31 or a time such as 2026-12-31T18:00:00Z", text)
	}
	return at.UTC(), nil
}

func isUserName(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-@", r)) {
			return false
		}
	}
	return name != "" && len(name) <= maxUserName
}
