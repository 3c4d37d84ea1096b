package access

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labnet/labnet/commands/atomicfile"
	"github.com/labnet/labnet/commands/problem"
)

// What a server keeps about users if it is not told where: the names in the hidden folder
// of its store.
const (
	FolderName = "access"
	tokensName = "tokens"
	seenName   = "seen.json"
)

// TokensIn returns the tokens file of the store with a hidden folder.
func TokensIn(hidden string) string { return filepath.Join(hidden, FolderName, tokensName) }

// SeenIn returns the file that says when the users of that store were last seen.
func SeenIn(hidden string) string { return filepath.Join(hidden, FolderName, seenName) }

// MakeFolderIn makes the folder of both.
func MakeFolderIn(hidden string) error {
	folder := filepath.Join(hidden, FolderName)
	if err := atomicfile.MakeFolder(folder, 0o700); err != nil {
		return problem.Item(folder, err)
	}
	return nil
}

// A Grant is what a user of a tokens file may do, as it is written there. Empty fields
// are those that the line does not have.
type Grant struct {
	Name     string
	Rights   string // as in "say,blob"
	MaxBytes string // a size such as 20GiB
	MaxFiles string // a number
	Dir      string
	Until    time.Time // to the second
}

// words are those of a line with the hash of a token.
func (g Grant) words(hash string) []string {
	words := []string{g.Name, hash}
	if g.Rights != "" {
		words = append(words, g.Rights)
	}
	if g.MaxBytes != "" {
		words = append(words, "max-bytes="+g.MaxBytes)
	}
	if g.MaxFiles != "" {
		words = append(words, "max-files="+g.MaxFiles)
	}
	if g.Dir != "" {
		words = append(words, "dir="+g.Dir)
	}
	if !g.Until.IsZero() {
		words = append(words, "until="+g.Until.UTC().Format(time.RFC3339))
	}
	return words
}

// Check fails if no line can say so. One that is renewed may have the folder already.
func (g Grant) Check(renew bool) error {
	words := g.words(hex.EncodeToString(make([]byte, sha256.Size)))
	for _, word := range words {
		if strings.ContainsAny(word, "#") || len(strings.Fields(word)) != 1 {
			return fmt.Errorf("%q: what is in a tokens file contains neither spaces nor #", word)
		}
	}
	_, err := parseUser(words)
	if renew && err == errNoDir {
		return nil
	}
	return err
}

// A ThereError means that a user is in a tokens file already.
type ThereError struct{ Name string }

func (e *ThereError) Error() string { return e.Name + " has a token already" }

func (e *ThereError) Describe() problem.Description {
	return problem.Description{Kind: "exists", Hint: "--renew makes a new one, which ends the old one; 'labnet users' lists who has one"}
}

// UnknownError means that a user is not in a tokens file.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string { return fmt.Sprintf("no user is called %q", e.Name) }

func (e *UnknownError) Describe() problem.Description {
	return problem.Description{Kind: "not-found", Hint: "'labnet users' lists who has a token"}
}

// Invite adds a user to a tokens file, which it makes if there is none, in one durable
// step, and returns the user's new token. If the user is there, that is a *ThereError,
// unless renew: then the old token ends, and what is not empty in g replaces what the
// line says; its end is always that of g.
func Invite(file string, g Grant, renew bool) (token string, err error) {
	if err := g.Check(renew); err != nil {
		return "", err
	}
	secret := make([]byte, sha256.Size)
	rand.Read(secret)
	token = base64.RawURLEncoding.EncodeToString(secret)
	sum := sha256.Sum256([]byte(token))
	hash := hex.EncodeToString(sum[:])
	return token, edit(file, func(lines [][]byte, at map[string]int) ([][]byte, error) {
		i, there := at[g.Name]
		switch {
		case there && !renew:
			return nil, &ThereError{g.Name}
		case !there && renew:
			return nil, &UnknownError{g.Name}
		case there:
			words := merge(wordsOf(lines[i]), g.words(hash))
			lines[i] = append([]byte(strings.Join(words, " ")), commentOf(lines[i])...)
			return lines, nil
		}
		return append(lines, []byte(strings.Join(g.words(hash), " "))), nil
	})
}

// merge returns the words of a line with a new token and what else is new.
func merge(old, next []string) []string {
	key := func(word string) string { // "" for the rights
		key, _, isOption := strings.Cut(word, "=")
		if !isOption {
			return ""
		}
		return key
	}
	merged := slices.Clone(next)
	for _, word := range old[2:] {
		same := func(other string) bool { return key(other) == key(word) }
		if key(word) != "until" && !slices.ContainsFunc(next[2:], same) {
			merged = append(merged, word)
		}
	}
	return merged
}

// commentOf returns the comment of a line, and the space before it.
func commentOf(line []byte) []byte {
	for i, c := range line {
		if c == '#' && (i == 0 || strings.ContainsRune(" \t", rune(line[i-1]))) {
			return append([]byte(" "), line[i:]...)
		}
	}
	return nil
}

// Revoke removes a user from a tokens file, in one durable step. Without it nobody may
// send any more if there is no other.
func Revoke(file, name string) error {
	return edit(file, func(lines [][]byte, at map[string]int) ([][]byte, error) {
		i, there := at[name]
		if !there {
			return nil, &UnknownError{name}
		}
		return slices.Delete(lines, i, i+1), nil
	})
}

// edit changes the lines of a tokens file, of which those of users are known by name.
func edit(file string, change func(lines [][]byte, at map[string]int) ([][]byte, error)) error {
	err := atomicfile.Change(file, 0o600, func(fi fs.FileInfo) error { return checkTokens(file, fi) }, func(old []byte) ([]byte, error) {
		_, err := parseUsers(old)
		if err != nil && err != errNoUsers {
			return nil, err
		}
		var lines [][]byte
		for line := range bytes.Lines(old) {
			if words := wordsOf(line); !slices.Equal(words, []string{nobody}) {
				lines = append(lines, bytes.TrimRight(line, "\r\n"))
			}
		}
		at := map[string]int{}
		for i, line := range lines {
			if words := wordsOf(line); len(words) > 0 {
				at[words[0]] = i
			}
		}
		if lines, err = change(lines, at); err != nil {
			return nil, err
		}
		next := append(bytes.Join(lines, []byte("\n")), '\n')
		_, err = parseUsers(next)
		if err == errNoUsers {
			next = append(bytes.TrimLeft(next, "\n"), nobody+"\n"...)
			_, err = parseUsers(next)
		}
		if len(next) > maxTokens {
			err = fmt.Errorf("it would have more than %d bytes", maxTokens)
		}
		return next, err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return problem.Item(file, problem.New("no such folder", "not-found", "choose the folder of the server with --store, or a tokens file with --tokens"))
	}
	if _, there := errors.AsType[*ThereError](err); err == nil || there {
		return err
	}
	if _, unknown := errors.AsType[*UnknownError](err); unknown {
		return err
	}
	return problem.Item(file, err)
}

// A User is one of a tokens file, and what is known of it apart from the token.
type User struct {
	Name     string
	Rights   []string
	MaxBytes int64     // in Dir; 0: no limit
	MaxFiles int64     // and folders, likewise
	Dir      string    // "": all of the store
	Until    time.Time // when the token ends; zero: never
}

// Expired reports whether the token has ended.
func (u User) Expired() bool { return !u.Until.IsZero() && !time.Now().Before(u.Until) }

// Users lists who is in a tokens file, in its order.
func Users(file string) ([]User, error) {
	all, err := readUsers(file)
	if err != nil {
		return nil, problem.Item(file, err)
	}
	var list []User
	for _, u := range all.list {
		list = append(list, u.public())
	}
	return list, nil
}

func (u *user) public() User {
	p := User{Name: u.name, Rights: u.rights, MaxBytes: u.maxBytes, Dir: u.dir, Until: u.until}
	if limit, limited := u.quota(); limited {
		p.MaxFiles = limit.Files
	}
	return p
}
