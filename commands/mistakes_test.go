package commands

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/certs"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/storage/s3/s3test"
	"github.com/labnet/labnet/wire"
)

// make makes a mistake, and returns what a user sees of it.
func (m mistake) make(t *testing.T) (seen string) {
	t.Run(shown(m.args), func(t *testing.T) {
		t.Chdir(t.TempDir())
		addr := "127.0.0.1:1"
		if m.server != nil {
			addr = m.server(t).Addr().String()
		}
		t.Setenv("LABNET_ADDR", addr)
		if name, value, ok := strings.Cut(m.env, "="); ok {
			t.Setenv(name, value)
		}
		if m.prepare != nil {
			m.prepare(t)
		}
		if os.Geteuid() == 0 {
			m.err = cmp.Or(m.err, m.asRoot)
		}
		if err := os.WriteFile("stdin", []byte(m.stdin), 0o666); err != nil {
			t.Fatal(err)
		}
		stdin, err := os.Open("stdin")
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		var out, told bytes.Buffer
		con := terminal.New(stdin, &out, &told)
		var code int
		if m.err != nil {
			code = con.End(m.err)
		} else {
			args := []string{"labnet"}
			for _, arg := range m.args {
				args = append(args, strings.ReplaceAll(arg, "LABNET_ADDR", addr))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // of a server that runs after all
			code = run(ctx, con, args)
			cancel()
		}
		seen = fmt.Sprintf("$ %s\n%s%sexit %d\n", shown(append(strings.Fields(m.env), append([]string{"labnet"}, m.args...)...)), &out, &told, code)
		seen = strings.ReplaceAll(seen, addr, "ADDR")
		seen = logged.ReplaceAllString(seen, "")
	})
	return seen
}

// logged is the log; volatile is what else differs from run to run.
var logged = regexp.MustCompile(`(?m)^\{"level".*\n`)
var volatile = regexp.MustCompile(`key is sha256:\w+|"(time|seconds)":[^,}]*[,}]|[\d.]+m?s(  |, )[\d.]+ .?i?B/s`)

// shown is how arguments look in a shell.
func shown(args []string) string {
	var words []string
	for _, arg := range args {
		switch {
		case len(arg) > 100:
			arg = fmt.Sprintf("%s…[%d bytes]", arg[:10], len(arg))
		case strconv.Quote(arg) != `"`+arg+`"` || arg == "" || strings.ContainsAny(arg, " $'>"):
			arg = "$" + strings.ReplaceAll(strconv.Quote(arg), `"`, "'")
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

var noHost = &net.DNSError{Err: "no such host", IsNotFound: true}

// denied is what a user who may not is told.
func denied(op string) error { return &os.PathError{Op: op, Path: "it", Err: syscall.EACCES} }

var refusalCodes = []wire.Code{
	wire.CodeProtocol, wire.CodeUnsupported, wire.CodeName, wire.CodeExists, wire.CodeTooLarge, wire.CodeTooMany,
	wire.CodeMismatch, wire.CodeCancelled, wire.CodeInUse, wire.CodeSuperseded, wire.CodeNoSpace, wire.CodeReadOnly,
	wire.CodeTimeout, wire.CodeShutdown, wire.CodeInternal, wire.CodeTLSRequired,
	wire.CodeDenied, wire.CodeForbidden, wire.CodeQuota,
	wire.CodeTooSlow, wire.CodeBusy, wire.CodeDegraded,
}

// refusals are those of each code, in words that no server uses.
func refusals() (all []mistake) {
	for _, code := range append(refusalCodes, "of-a-later-version") {
		said := reply("ERROR", "upload", "1", "code", string(code), "text", "the server's words for "+string(code))
		all = append(all, mistake{args: []string{"upload", "--retries", "0", "file"}, prepare: files("file"), server: answerAndStay(said)})
	}
	return append(all,
		at(answerAndStay(reply("ERROR", "code", "no-space", "text", "no space left in the store")), "blob", "-s", "1"),
		at(answerAndStay(reply("ERROR", "code", "read-only", "text", "the store failed and is read-only")), "ping", "-c", "1"),
		at(answerAndStay(reply("ERROR", "code", "degraded", "text", "the store is degraded and cannot store anything at the moment")), "ping", "-c", "1"),
		at(answerAndStay(reply("ERROR", "code", "internal", "text", "red \x1b[31m")), "say", "hi"),
		mistake{args: []string{"upload", "--name", "file", "new"}, prepare: files("new"), server: refusing("file")},
		mistake{args: []string{"upload", "new"}, prepare: files("new"), server: small},
		at(small, "blob", "-s", "11"),
		at(brief, "say", "more than ten bytes"),
		at(full, "say", "--retries", "0", "hi"),
		at(full, "ping", "-c", "1"),
		mistake{args: []string{"upload", "--name", "stream", "-"}, stdin: "more than ten bytes", server: small},
	)
}

func reply(word string, pairs ...string) string {
	c := wire.Control{Word: word}
	for i := 0; i < len(pairs); i += 2 {
		c.Fields = append(c.Fields, wire.Field{Key: pairs[i], Value: pairs[i+1]})
	}
	return string(wire.AppendString(nil, c.Text()))
}

func named(name string) mistake {
	return mistake{args: []string{"upload", "--name", name, "file"}, prepare: files("file"), server: store(dir.Options{})}
}

// unportable is a file whose name a server refuses that accepts portable ones only.
func unportable(name string) mistake {
	m := named(name)
	m.server = store(dir.Options{Names: storage.Portable})
	return m
}

// files makes files of their own names' contents.
func files(names ...string) func(*testing.T) {
	return func(t *testing.T) {
		for _, name := range names {
			must(t, os.MkdirAll(filepath.Dir(name), 0o777))
			must(t, os.WriteFile(name, []byte("this is "+name), 0o666))
		}
	}
}

func folders(names ...string) func(*testing.T) {
	return func(t *testing.T) {
		for _, name := range names {
			must(t, os.MkdirAll(name, 0o777))
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func locked(t *testing.T) {
	files("secret")(t)
	folders("locked")(t)
	must(t, os.Chmod("secret", 0))
	must(t, os.Chmod("locked", 0))
}

func used(t *testing.T) {
	d, err := dir.Open("used", dir.Options{})
	must(t, err)
	t.Cleanup(func() { d.Close() })
}

func loop(t *testing.T) {
	folders("round")(t)
	must(t, os.Symlink("../round", "round/up"))
}

func dangling(t *testing.T) {
	folders("dangling")(t)
	must(t, os.Symlink("nowhere", "dangling/link"))
}

// silent is a server that never says a word.
func silent(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// answer is a server that says only this, once something came, and goes away. It
// takes in what else comes first: the end must not be a reset.
func answer(words string) func(*testing.T) net.Listener { return says(words, true) }

// answerAndStay is one that goes after its client.
func answerAndStay(words string) func(*testing.T) net.Listener { return says(words, false) }

func says(words string, leave bool) func(*testing.T) net.Listener {
	return func(t *testing.T) net.Listener {
		l := silent(t)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					c.Read(make([]byte, 64<<10))
					c.Write([]byte(words))
					if leave {
						c.(*net.TCPConn).CloseWrite()
					}
					for _, err := c.Read(make([]byte, 64<<10)); err == nil; _, err = c.Read(make([]byte, 64<<10)) {
					}
					c.Close()
				}()
			}
		}()
		return l
	}
}

// store is a real server.
func store(o dir.Options) func(*testing.T) net.Listener {
	return func(t *testing.T) net.Listener { return serveDir(t, &wire.Server{}, o) }
}

// bucketless is an object store without the bucket that is asked for.
func bucketless(t *testing.T) net.Listener { return objectStore(t, s3test.NewServer()) }

// careless is one that does not look at conditions.
func careless(t *testing.T) net.Listener {
	s := s3test.NewServer()
	s.Careless = true
	return objectStore(t, s)
}

// refusingStore is an object store that refuses all with a code.
func refusingStore(status int, code string) func(*testing.T) net.Listener {
	return func(t *testing.T) net.Listener {
		s := s3test.NewServer()
		s.SetFault(func(*http.Request, bool) (int, string) { return status, code })
		return objectStore(t, s)
	}
}

func objectStore(t *testing.T, h http.Handler) net.Listener {
	for _, setting := range []string{"ACCESS_KEY_ID=x", "SECRET_ACCESS_KEY=x", "EC2_METADATA_DISABLED=true"} {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv("AWS_"+name, value)
	}
	l := silent(t)
	go http.Serve(l, h)
	return l
}

// encrypting is one with a key that it has made by itself.
func encrypting(t *testing.T) net.Listener {
	cert, err := certs.OpenIdentity(filepath.Join(t.TempDir(), "identity"))
	must(t, err)
	srv := &wire.Server{Certificate: func() (*tls.Certificate, error) { return cert, nil }}
	return serveDir(t, srv, dir.Options{})
}

// wantingTokens is one that knows alice, who may only upload ten bytes. Its key is
// pinned from then on.
func wantingTokens(t *testing.T) net.Listener {
	g := startGuarded(t, dir.Options{}, "alice "+hashOf(aliceToken)+" upload dir=alice max-bytes=10")
	t.Setenv("LABNET_PIN", g.pin)
	return g.listener
}

// key makes the file "file", which only some may read.
func key(text string, mode os.FileMode) func(*testing.T) {
	return func(t *testing.T) {
		must(t, os.WriteFile("file", []byte(text), mode))
		must(t, os.Chmod("file", mode))
	}
}

// small is one that takes ten bytes at most.
func small(t *testing.T) net.Listener {
	return serveDir(t, &wire.Server{Limits: wire.Limits{MaxSize: 10}}, dir.Options{})
}

// full is one that has as many connections as it takes.
func full(t *testing.T) net.Listener {
	l := serveDir(t, &wire.Server{Limits: wire.Limits{MaxConns: 1}}, dir.Options{})
	nc, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	t.Cleanup(func() { nc.Close() })
	_, err = nc.Write(wire.AppendString(nil, "me first"))
	must(t, err)
	_, err = nc.Read(make([]byte, 1))
	must(t, err)
	return l
}

// brief is one that takes short messages.
func brief(t *testing.T) net.Listener {
	return serveDir(t, &wire.Server{Limits: wire.Limits{MaxMessage: 10}}, dir.Options{})
}

// stored is one that has a file already, refusing another that keeps it.
func stored(name string) func(*testing.T) net.Listener {
	return func(t *testing.T) net.Listener { return serveDir(t, &wire.Server{}, dir.Options{}, name) }
}

func refusing(name string) func(*testing.T) net.Listener {
	return func(t *testing.T) net.Listener {
		return serveDir(t, &wire.Server{}, dir.Options{OnConflict: storage.Refuse}, name)
	}
}

func serveDir(t *testing.T, srv *wire.Server, o dir.Options, files ...string) net.Listener {
	folder := t.TempDir()
	for _, name := range files {
		must(t, os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o777))
		must(t, os.WriteFile(filepath.Join(folder, name), []byte("there before"), 0o666))
	}
	d, err := dir.Open(folder, o)
	must(t, err)
	srv.Store = keeper{d}
	l := silent(t)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Shutdown(context.Background())
		<-served
		d.Close()
	})
	return l
}
