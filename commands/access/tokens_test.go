package access

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	aliceToken = "alice-who-is-known"
	bobToken   = "bob-whom-she-knows"
)

// hashOf is the hash of a token as sha256sum prints it.
func hashOf(token string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(token))) }

// TestParseUsers reads lines of every form.
func TestParseUsers(t *testing.T) {
	hash := hashOf(aliceToken)
	tests := []struct {
		line string
		want user
	}{
		{"alice " + hash, user{rights: []string{"say", "blob", "upload"}}},
		{"\t alice\t" + strings.ToUpper(hash) + " \r", user{rights: []string{"say", "blob", "upload"}}},
		{"alice " + hash + " say", user{rights: []string{"say"}}},
		{"alice " + hash + " upload,say # and no blobs", user{rights: []string{"upload", "say"}}},
		{"alice " + hash + " status", user{rights: []string{"status"}}},
		{"alice " + hash + " say,status", user{rights: []string{"say", "status"}}},
		{"alice " + hash + " dir=in/alice", user{rights: sending, dir: "in/alice"}},
		{"alice " + hash + " dir=a=b", user{rights: sending, dir: "a=b"}},
		{"alice " + hash + " blob max-bytes=10GiB dir=alice", user{rights: []string{"blob"}, maxBytes: 10 << 30, dir: "alice"}},
		{"alice " + hash + " dir=alice max-files=20", user{rights: sending, maxFiles: 20, dir: "alice"}},
		{"alice " + hash + " dir=alice max-bytes=1 blob", user{rights: []string{"blob"}, maxBytes: 1, dir: "alice"}},
	}
	for _, test := range tests {
		test.want.name, test.want.hash = "alice", sha256.Sum256([]byte(aliceToken))
		all, err := parseUsers([]byte("# comment\n\n" + test.line + "\n  # another"))
		if err != nil || len(all.list) != 1 {
			t.Errorf("%q: %v, %v", test.line, all, err)
			continue
		}
		if diff := cmp.Diff(test.want, all.list[0], cmp.AllowUnexported(user{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.line, diff)
		}
	}
}

// TestBadUsers: what is not clear is an error, which names the line.
func TestBadUsers(t *testing.T) {
	alice, bob := "alice "+hashOf(aliceToken), "bob "+hashOf(bobToken)
	for text, want := range map[string]string{
		"":                                       "it lists no users",
		"# nobody\n\n \t\n":                      "it lists no users",
		"alice":                                  "line 1: a name and the SHA-256 of a token make a line",
		"\n" + hashOf(aliceToken):                "line 2: a name and",
		"alice 1234":                             "line 1: the name must be followed by a SHA-256",
		alice + "0":                              "line 1: the name must be followed by a SHA-256",
		"alice x" + alice[7:]:                    "line 1: the name must be followed by a SHA-256",
		"alice sha256:" + alice[6:]:              "line 1: the name must be followed by a SHA-256",
		alice + "\nalice" + bob[3:]:              "line 2: alice has a line already",
		alice + "\n#\nbob" + alice[5:]:           "line 3: the token is that of line 1",
		alice + " -":                             `line 1: "-" is none of say, blob, upload`,
		alice + " say,":                          `line 1: "" is none of`,
		alice + " say,say":                       "line 1: say is there twice",
		alice + " ping":                          `line 1: "ping" is none of`,
		alice + " say upload":                    `line 1: "upload" is not [say,blob,upload,status]`,
		alice + " max-bytes=0 dir=a":             `line 1: max-bytes: "0" is not a size`,
		alice + " max-bytes= dir=a":              `line 1: max-bytes: "" is not a size`,
		alice + " max-bytes=-1 dir=a":            "line 1: max-bytes:",
		alice + " max-bytes=20EiB dir=a":         "line 1: max-bytes:",
		alice + " max-bytes=1 max-bytes=2 dir=a": `line 1: "max-bytes=2" is not`,
		alice + " max-bytes=1":                   "line 1: max-bytes and max-files limit what is in a folder of the user",
		alice + " max-files=1":                   "line 1: max-bytes and max-files limit what is in a folder of the user",
		alice + " max-files=0 dir=a":             `line 1: max-files: "0" is not a number above 0`,
		alice + " max-files=1k dir=a":            `line 1: max-files: "1k" is not`,
		alice + " max-files=1 max-files=1 dir=a": `line 1: "max-files=1" is not`,
		alice + " dir=":                          "line 1: name \"\": it is empty",
		alice + " dir=..":                        "line 1: name \"..\"",
		alice + " dir=/a":                        "it is absolute",
		alice + " dir=a/":                        "empty component",
		alice + " dir=.labnet":                   "the store reserves",
		alice + " dir=a dir=b":                   `line 1: "dir=b" is not`,
		alice + " folder=a":                      `line 1: "folder=a" is not`,
		"-alice" + alice[5:]:                     `line 1: "-alice" is no name`,
		"al/ice" + alice[5:]:                     "is no name",
		"älice" + alice[5:]:                      "is no name",
		"\ufeff" + alice:                         "is no name",
		strings.Repeat("a", 65) + alice[5:]:      "is no name",
		"alice " + hashOf(""):                    "line 1: that is the hash of an empty token",
		"alice " + hashOf("\n"):                  "line 1: that is the hash of an empty token",
		"\x00\xff":                               "line 1:",
	} {
		all, err := parseUsers([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, all, err, want)
		}
	}
}

// FuzzUsers: what is read has names, hashes and rights, each user once, and reads
// as the same when it is written.
func FuzzUsers(f *testing.F) {
	alice := "alice " + hashOf(aliceToken)
	for _, text := range []string{"", "#", alice, alice + "\nbob " + hashOf(bobToken) + " say,blob max-bytes=1GB dir=a/b # c", alice + " \r\n\t" + alice} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parseUsers(text)
		if err != nil {
			if _, ok := errors.AsType[*lineError](err); !ok && err != errNoUsers {
				t.Errorf("error %v", err)
			}
			return
		}
		var again strings.Builder
		for _, u := range all.list {
			fmt.Fprintf(&again, "%s %x %s", u.name, u.hash, strings.Join(u.rights, ","))
			if u.maxBytes > 0 {
				fmt.Fprintf(&again, " max-bytes=%d", u.maxBytes)
			}
			if u.dir != "" {
				fmt.Fprintf(&again, " dir=%s", u.dir)
			}
			again.WriteString("\n")
			if all.byName[u.name].hash != u.hash {
				t.Errorf("%s is found as another", u.name)
			}
		}
		twice, err := parseUsers([]byte(again.String()))
		if err != nil {
			t.Fatalf("%q, which was written of %q: %v", again.String(), text, err)
		}
		if diff := cmp.Diff(all, twice, cmp.AllowUnexported(user{}, users{})); diff != "" {
			t.Errorf("%q (-once +twice):\n%s", text, diff)
		}
	})
}

// TestTokensFile: a file that others can write to, or that is none, is refused, and
// one that others can read is not.
func TestTokensFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	file := filepath.Join(t.TempDir(), "tokens")
	must(t, os.WriteFile(file, []byte("alice "+hashOf(aliceToken)), 0o600))
	for mode, want := range map[os.FileMode]error{0o600: nil, 0o400: nil, 0o644: nil, 0o620: errWritable, 0o602: errWritable, 0o666: errWritable} {
		must(t, os.Chmod(file, mode))
		if _, err := readUsers(file); err != want {
			t.Errorf("mode %04o: %v, want %v", mode, err, want)
		}
	}
	if _, err := readUsers(filepath.Dir(file)); err != errNotTokens {
		t.Errorf("a folder: %v", err)
	}
	if _, err := readUsers(file + "?"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	must(t, os.WriteFile(file, []byte(strings.Repeat("#", maxTokens+1)), 0o600))
	must(t, os.Chmod(file, 0o600))
	if _, err := readUsers(file); err == nil || err == errNoUsers {
		t.Errorf("too long a file: %v", err)
	}
}

// crowd is a file of many users, of whom the i-th has the token of that number.
func crowd(t testing.TB, n int) *users {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "user%d %s\n", i, hashOf(numbered(i)))
	}
	all, err := parseUsers([]byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func numbered(i int) string { return fmt.Sprintf("token number %032d", i) }

// TestFind guesses a hundred thousand tokens, which look like the right ones: each
// is one of them except for a byte, or a bit.
func TestFind(t *testing.T) {
	all := crowd(t, 10)
	for i := range 10 {
		if u, ok := all.find(numbered(i)); !ok || u.name != fmt.Sprint("user", i) {
			t.Errorf("token %d is of %v, %t", i, u, ok)
		}
	}
	for i := 10; i < 100_000; i++ {
		guess := numbered(i)
		if i%2 == 0 {
			b := []byte(numbered(i % 10))
			b[i/10%len(b)] ^= 1 << (4 + i%4) // no digit becomes another
			guess = string(b)
		}
		if u, ok := all.find(guess); ok {
			t.Fatalf("%q is taken for the token of %s", guess, u.name)
		}
	}
	for i := range all.list { // what is in the file is no token
		if u, ok := all.find(fmt.Sprintf("%x", all.list[i].hash)); ok {
			t.Errorf("a hash is taken for the token of %s", u.name)
		}
	}
}
