package commands

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/hook"
	"github.com/labnet/labnet/commands/invite"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/terminal/terminaltest"
	"github.com/labnet/labnet/commands/uploader"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// jsonRuns are runs whose objects are held, in a file for each command.
var jsonRuns = map[string][]mistake{
	"ping": {
		at(answer(""), "ping", "--json", "-c", "2", "-i", "0s"),
		typed("ping --json -c 1"),
	},
	"say": {
		at(answerAndStay(text("Message: hi")), "say", "--json", "hi"),
		{args: []string{"say", "--json", "-"}, stdin: "\xff\none\n", server: answerAndStay(text("Message: one"))},
		at(answer(""), "say", "--json", "--lab", "4", "hi"),
		typed("say --json hi"),
		{args: []string{"say", "--json"}, stdin: "\x00"},
		{args: []string{"say", "--json", "--retries", "0", "hi"}, server: answer("")},
	},
	"blob": {
		at(store(dir.Options{}), "blob", "--json", "-s", "10", "-n", "2"),
		at(small, "blob", "--json", "-s", "11"),
	},
	"upload": {
		{args: []string{"upload", "--json", "report.pdf", "missing", "tree"}, prepare: uploadTree, server: store(dir.Options{})},
		{args: []string{"upload", "--json", "same", "same"}, prepare: files("same"), server: store(dir.Options{})},
		{args: []string{"upload", "--json", "--digest", "sha256", "--name", "taken", "file"}, prepare: files("file"), server: stored("taken")},
		{args: []string{"upload", "--json", "--name", "stream", "-"}, stdin: "hello", server: store(dir.Options{})},
		{args: []string{"upload", "--json", "--name", "latin", "latin\xe9"}, prepare: files("latin\xe9"), server: store(dir.Options{})},
		at(begun("big"), "upload", "--json", "big"),
		{args: []string{"upload", "--json", "--lab", "6", "file"}, prepare: files("file"), server: answer("OK")},
		{args: []string{"upload", "--json", "one", "two"}, prepare: files("one", "two")},
		typed("upload --json --frobnicate x"),
	},
	"users": {
		{args: []string{"users", "--json", "--store", "store"}, prepare: invitedUsers},
		typed("users --json --store nowhere"),
	},
	"servers": {
		{args: []string{"servers", "--json"}, prepare: joinedServers},
	},
	"verify": {
		{args: []string{"verify", "--json", "store"}, prepare: storedFiles},
		{args: []string{"verify", "--json", "store"}, prepare: damagedFile},
		typed("verify --json nowhere"),
	},
	"version": {
		typed("version --json"),
		typed("version --json extra"),
	},
}

// TestJSON holds every kind of object that --json prints.
func TestJSON(t *testing.T) {
	needLinux(t)
	for name, runs := range jsonRuns {
		var got strings.Builder
		if name == "verify" && !KeepsDigests(t) {
			continue
		}
		for _, run := range runs {
			got.WriteString(steady(run.make(t)) + "\n")
		}
		terminaltest.Golden(t, filepath.Join("testdata", "json", name+".golden"), got.String())
	}
}

// TestJSONOfServe holds what serve --json prints.
func TestJSONOfServe(t *testing.T) {
	needLinux(t)
	var out bytes.Buffer
	con := terminal.New(nil, &out, io.Discard)
	con.Begin("serve", true)
	t.Run("serve", func(t *testing.T) {
		srv := &wire.Server{}
		written := hook.Tell(con, srv, nil)
		t.Cleanup(func() { // after the server's
			for _, e := range []wire.Event{
				{Op: "upload", Remote: "192.0.2.7:50000", User: "alice", Name: "a", Path: "-x/a", Size: new(int64), Resumed: 7},
				{Op: "upload", Remote: "[2001:db8::7]:50000", Name: "a", Path: "latin\xe9/a", Size: new(int64)},
			} {
				srv.Received(e)
			}
			must(t, written.Close())
		})
		l := serveDir(t, srv, dir.Options{})
		client := &terminal.Console{In: os.Stdin, Out: io.Discard, Err: io.Discard}
		folder := t.TempDir()
		file := filepath.Join(t.TempDir(), "report.pdf")
		must(t, os.WriteFile(file, []byte("a report"), 0o666))
		for _, args := range [][]string{
			{"ping", "-c", "1"},
			{"say", "hi \x1b[31m"},
			{"blob", "-s", "10"},
			{"upload", file},
			{"upload", file},
			{"upload", "--digest", "sha256", "--name", "sums", file},
			{"upload", "--digest", "blake3", "--name", "sums", file},
			{"upload", "--name", "folder", folder},
			{"say", "--lab", "3", "hi"},
			{"upload", "--lab", "6", "--name", "task 6", file},
		} {
			args = append([]string{"labnet", args[0], "-a", l.Addr().String()}, args[1:]...)
			if code := run(t.Context(), client, args); code != 0 {
				t.Errorf("%q: exit %d", args, code)
			}
		}
	})
	con.End(nil)
	terminaltest.Golden(t, filepath.Join("testdata", "json", "serve.golden"), steady(out.String()))
}

// steady puts something else in place of what differs from run to run.
func steady(objects string) string {
	for _, change := range []struct{ from, to string }{
		{`"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`, `"time":"2026-11-22T20:47:24.123Z"`},
		{`"(|\w+_)seconds":[0-9.e-]+`, `"${1}seconds":0.25`},
		{`"remote":"127\.0\.0\.1:\d+"`, `"remote":"192.0.2.9:50000"`},
		{`"path":"/[^"]*/([^/"]+)"`, `"path":"received/$1"`},
		{`[A-Za-z0-9]{8}\.bin`, `RANDOM.bin`},
		{`("op":"blob".*"crc64nvme"):"[0-9a-f]{16}"`, `$1:"0123456789abcdef"`},
		{`"version":"[^"]+"(,"revision":"[0-9a-f]+")?(,"modified":(true|false))?,"go":"go[^"]+","os":"[a-z0-9]+","arch":"[a-z0-9]+"`,
			`"version":"1.2.3","revision":"0123456789abcdef","modified":false,"go":"go1.26.0","os":"linux","arch":"amd64"`},
	} {
		objects = regexp.MustCompile(change.from).ReplaceAllString(objects, change.to)
	}
	return objects
}

func text(s string) string { return string(wire.AppendString(nil, s)) }

func uploadTree(t *testing.T) {
	files("report.pdf", "tree/a", "tree/.hidden")(t)
	folders("tree/empty")(t)
	must(t, os.Symlink("a", "tree/link"))
}

// invitedUsers makes a store with users: one may do all, one has a folder with limits, and
// the token of one has ended.
func invitedUsers(t *testing.T) {
	folders("store/.labnet/access", "store/from/bob")(t)
	must(t, os.WriteFile("store/from/bob/report.pdf", make([]byte, 1234), 0o600))
	hash := strings.Repeat("0123456789abcdef", 4)
	tokens := "alice " + hash + "\nbob 1" + hash[1:] + " upload dir=from/bob max-bytes=20MiB max-files=500\ncarol 2" + hash[1:] + " until=2020-12-31\n"
	must(t, os.WriteFile("store/.labnet/access/tokens", []byte(tokens), 0o600))
	must(t, os.WriteFile("store/.labnet/access/seen.json", []byte(`{"bob":"2026-11-22T20:47:24Z"}`), 0o600))
}

// joinedServers makes the settings of a user who has joined two servers.
func joinedServers(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		t.Setenv(name, home)
	}
	end := time.Date(2036, 12, 31, 0, 0, 0, 0, time.UTC)
	for _, s := range []invite.Server{
		{Name: "lab", Addrs: []string{"lab.example.org:9000", "192.0.2.1:9000"}, Fingerprint: wire.FingerprintPrefix + strings.Repeat("0123456789abcdef", 4), User: "alice", Token: strings.Repeat("t", 43)},
		{Name: "nas", Addrs: []string{"nas.example.org:9000"}, User: "bob", Token: strings.Repeat("u", 43), Until: end},
	} {
		must(t, invite.Save(s))
	}
}

// begun is a server that has the first half of a file from an earlier upload.
func begun(name string) func(*testing.T) net.Listener {
	return func(t *testing.T) net.Listener {
		contents := bytes.Repeat([]byte("big"), uploader.MinResumable)
		must(t, os.WriteFile(name, contents, 0o666))
		info, err := os.Stat(name)
		must(t, err)
		srv := &wire.Server{}
		l := serveDir(t, srv, dir.Options{})
		digest := wire.Digests()[0]
		partial, err := srv.Store.Create(t.Context(), wire.Announcement{Name: name, ID: client.UploadID(name, name, info), Size: info.Size(), Digest: digest, Proofs: wire.Digests()[1:]})
		must(t, err)
		_, err = partial.ReadFrom(bytes.NewReader(contents[:len(contents)/2]))
		must(t, err)
		must(t, partial.Suspend())
		return l
	}
}

// TestJSONDocumented compares docs/json.md with what the golden files hold.
func TestJSONDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "json.md"))
	must(t, err)
	documented := func(word, kind string) {
		t.Helper()
		if !bytes.Contains(page, []byte("| `"+word+"` |")) {
			t.Errorf("docs/json.md has no row for the %s %q", kind, word)
		}
	}
	held, err := filepath.Glob(filepath.Join("testdata", "json", "*.golden"))
	must(t, err)
	if len(held) < 6 {
		t.Fatalf("golden files: %v", held)
	}
	for _, file := range held {
		contents, err := os.ReadFile(file)
		must(t, err)
		for line := range bytes.Lines(contents) {
			var o map[string]any
			if line[0] != '{' {
				continue
			}
			if err := json.Unmarshal(line, &o); err != nil {
				t.Errorf("%s: %s: %v", file, line, err)
			}
			for field := range o {
				documented(field, "field")
			}
			documented(o["op"].(string), "op")
			if code, ok := o["code"].(string); ok {
				documented(code, "code")
			}
		}
	}
	for _, kind := range errorKinds(t) {
		documented(kind, "code")
	}
	for _, code := range refusalCodes {
		documented(string(code), "code")
	}
}

// errorKinds lists the kinds that errors give themselves in the source.
func errorKinds(t *testing.T) (kinds []string) {
	files, err := filepath.Glob("*.go")
	must(t, err)
	jobs, err := filepath.Glob(filepath.Join("*", "*.go"))
	must(t, err)
	files = append(files, jobs...)
	kind := regexp.MustCompile(`(?s)Kind: +"([a-z-]+)"[,}]|\bNew\("[^"]*",\s*"([a-z-]+)"`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		must(t, err)
		for _, found := range kind.FindAllStringSubmatch(string(source), -1) {
			kinds = append(kinds, found[1]+found[2])
		}
	}
	if len(kinds) < 15 {
		t.Fatalf("only %q found", kinds)
	}
	return kinds
}

// TestJSONComplete: a field that is in no golden file could be anything.
func TestJSONComplete(t *testing.T) {
	var all bytes.Buffer
	held, err := filepath.Glob(filepath.Join("testdata", "json", "*.golden"))
	must(t, err)
	for _, file := range held {
		contents, err := os.ReadFile(file)
		must(t, err)
		all.Write(contents)
	}
	for _, kind := range []any{terminal.Object{}, terminal.Summary{}, build{}, terminal.PingSummary{}, terminal.ReplyTimes{}, terminal.Diagnosis{}, terminal.VerifySummary{}, listedUser{}, listedServer{}} {
		for _, tag := range jsonTags(kind) {
			if !bytes.Contains(all.Bytes(), []byte(`"`+tag+`":`)) {
				t.Errorf("no golden file has the field %q", tag)
			}
		}
	}
}

func jsonTags(of any) (tags []string) {
	kind := reflect.TypeOf(of)
	for i := range kind.NumField() {
		if tag, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ","); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}
