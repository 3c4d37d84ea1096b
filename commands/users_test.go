package commands

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/certs"
	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/commands/terminal/terminaltest"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

var guesses = flag.Int("guesses", 300, "how many wrong tokens a server is shown")

const (
	aliceToken = "alice-who-is-known"
	bobToken   = "bob-whom-she-knows"
)

// hashOf is the hash of a token as sha256sum prints it.
func hashOf(token string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(token))) }

// A guardedServer is a real one that wants tokens.
type guardedServer struct {
	t        *testing.T
	dir      string
	tokens   string // the file
	listener net.Listener
	pin      string
	log      terminaltest.Buffer
	mu       sync.Mutex
	events   []wire.Event
}

// startGuarded serves the users of these lines.
func startGuarded(t *testing.T, o dir.Options, lines ...string) *guardedServer {
	t.Helper()
	g := &guardedServer{t: t, dir: t.TempDir(), tokens: filepath.Join(t.TempDir(), "tokens")}
	g.write(lines...)
	d, err := dir.Open(g.dir, o)
	must(t, err)
	cert, err := certs.OpenIdentity(filepath.Join(t.TempDir(), "identity"))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	access := accessOptions{tokens: g.tokens}
	files := &reload.Watcher{}
	users, err := access.users(files, d, o, zerolog.New(&g.log))
	must(t, err)
	go files.Run(ctx)
	srv := &wire.Server{
		Store:        keeper{d},
		Certificate:  func() (*tls.Certificate, error) { return cert, nil },
		Authenticate: users.Authenticate,
		Log:          zerolog.New(&g.log),
		Received: func(e wire.Event) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.events = append(g.events, e)
		},
	}
	l := silent(t)
	g.listener, g.pin = l, wire.Fingerprint(cert.Leaf)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		cancel()
		srv.Close()
		<-served
		d.Close()
	})
	return g
}

// write puts lines into the tokens file, as an editor does.
func (g *guardedServer) write(lines ...string) {
	g.t.Helper()
	next := g.tokens + ".new"
	must(g.t, os.WriteFile(next, []byte(strings.Join(lines, "\n")), 0o600))
	must(g.t, os.Rename(next, g.tokens))
}

// as returns a client with a token.
func (g *guardedServer) as(token string) *wire.Client {
	g.t.Helper()
	nc, err := net.Dial("tcp", g.listener.Addr().String())
	must(g.t, err)
	nc, err = wire.Encrypt(g.t.Context(), nc, &tls.Config{InsecureSkipVerify: true}, 0)
	must(g.t, err)
	c := wire.NewClient(nc, 0)
	g.t.Cleanup(func() { c.Close() })
	if token != "" {
		must(g.t, c.Authenticate(token))
	}
	return c
}

// upload sends a file and returns its name, or the code of the refusal.
func upload(c *wire.Client, name, contents string) string {
	saved, err := c.Upload(context.Background(), wire.Announcement{Name: name, Size: int64(len(contents))}, strings.NewReader(contents))
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return string(refused.Code)
	}
	if err != nil {
		return err.Error()
	}
	return saved.Name
}

// files returns what is in the store, and its contents.
func (g *guardedServer) files() map[string]string {
	found := map[string]string{}
	must(g.t, fs.WalkDir(os.DirFS(g.dir), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".labnet":
			return cmpOr(err, fs.SkipDir)
		case e.IsDir():
			return nil
		}
		contents, err := os.ReadFile(filepath.Join(g.dir, name))
		found[name] = string(contents)
		return err
	}))
	return found
}

func cmpOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func (g *guardedServer) want(files map[string]string) {
	g.t.Helper()
	if diff := cmp.Diff(files, g.files()); diff != "" {
		g.t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestConfined: who has a folder is told names in it, and leaves it under no name.
func TestConfined(t *testing.T) {
	g := startGuarded(t, dir.Options{}, "alice "+hashOf(aliceToken)+" dir=in/alice", "bob "+hashOf(bobToken))
	alice, bob := g.as(aliceToken), g.as(bobToken)
	for _, tt := range []struct {
		client               *wire.Client
		name, contents, kept string
	}{
		{alice, "f", "1", "f"},
		{bob, "f", "2", "f"},
		{alice, "f", "3", "f (2)"},
		{alice, "f", "1", "f"},
		{alice, "in/alice/f", "4", "in/alice/f"},
		{alice, "../f", "5", "bad-name"},
		{alice, "../../f", "5", "bad-name"},
		{alice, "/f", "5", "bad-name"},
		{bob, ".labnet/f", "5", "bad-name"},
		{alice, ".labnet/f", "6", ".labnet/f"}, // in her folder it is a name like others
		{alice, "f/below", "5", "bad-name"},
		{bob, "in", "5", "bad-name"},
	} {
		if got := upload(tt.client, tt.name, tt.contents); got != tt.kept {
			t.Errorf("%q is kept as %q, want %q", tt.name, got, tt.kept)
		}
	}
	_, err := alice.Upload(t.Context(), wire.Announcement{Name: "f/below", Size: 1}, strings.NewReader("x"))
	if want := `name "f/below": "f" is not a folder here (bad-name)`; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	saved, err := alice.Blob(t.Context(), strings.NewReader("5"), 1)
	if err != nil || strings.Contains(saved.Name, "/") {
		t.Errorf("a blob is kept as %q, %v", saved.Name, err)
	}
	must(t, alice.MakeFolder(t.Context(), "empty"))
	if err := alice.MakeFolder(t.Context(), "../empty"); err == nil {
		t.Error("a folder outside")
	}
	if fi, err := os.Stat(filepath.Join(g.dir, "in", "alice", "empty")); err != nil || !fi.IsDir() {
		t.Errorf("no folder was made: %v", err)
	}
	g.want(map[string]string{"in/alice/f": "1", "f": "2", "in/alice/f (2)": "3", "in/alice/in/alice/f": "4", "in/alice/.labnet/f": "6", "in/alice/" + saved.Name: "5"})
	e := g.events[0]
	if e.User != "alice" || e.Name != "f" || e.Path != filepath.Join(g.dir, "in", "alice", "f") {
		t.Errorf("the receipt is %+v", e)
	}
}

// TestNoRoomForFolder: if a file is where a user's folder should be, its name is not
// told either.
func TestNoRoomForFolder(t *testing.T) {
	g := startGuarded(t, dir.Options{}, "alice "+hashOf(aliceToken)+" dir=secret/place", "bob "+hashOf(bobToken))
	if kept := upload(g.as(bobToken), "secret", "file"); kept != "secret" {
		t.Fatalf("kept as %q", kept)
	}
	_, err := g.as(aliceToken).Upload(t.Context(), wire.Announcement{Name: "f", Size: 1}, strings.NewReader("x"))
	if want := `name "f": the folder for this user cannot be made (bad-name)`; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestRights of every kind.
func TestRights(t *testing.T) {
	for _, right := range []string{"say", "blob", "upload"} {
		g := startGuarded(t, dir.Options{}, "alice "+hashOf(aliceToken)+" "+right)
		c := g.as(aliceToken)
		_, say := c.Say(t.Context(), "hi")
		_, blob := c.Blob(t.Context(), strings.NewReader("x"), 1)
		folder := c.MakeFolder(t.Context(), "folder")
		for op, err := range map[string]error{"say": say, "blob": blob, "upload": folder} {
			refused, _ := errors.AsType[*wire.Error](err)
			if may := op == right; may != (err == nil) || !may && refused.Code != wire.CodeForbidden {
				t.Errorf("with a right to %s, %s: %v", right, op, err)
			}
		}
	}
}

// TestTokensChange changes the file while connections exist. A version that is not
// in order changes nothing.
func TestTokensChange(t *testing.T) {
	alice, bob := "alice "+hashOf(aliceToken), "bob "+hashOf(bobToken)
	g := startGuarded(t, dir.Options{}, alice+" say")
	known := func(token string) bool {
		_, err := g.as(token).Say(t.Context(), "hi")
		refused, _ := errors.AsType[*wire.Error](err)
		if err != nil && (refused == nil || refused.Code != wire.CodeDenied) {
			t.Errorf("Say: %v", err)
		}
		return err == nil
	}
	want := func(when string, alice, bob bool) {
		t.Helper()
		if known(aliceToken) != alice || known(bobToken) != bob {
			t.Errorf("%s: alice is known: %t, bob: %t", when, !alice, !bob)
		}
	}
	want("at first", true, false)
	g.write(alice, bob)
	want("with bob", true, true)
	old := g.as(aliceToken)
	if _, err := old.Say(t.Context(), "hi"); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]string{{""}, {alice, "bob"}, {"# nobody", "#", "#"}} {
		g.write(bad...)
		want(fmt.Sprintf("with %q", bad), true, true)
	}
	must(t, os.Remove(g.tokens))
	want("without a file", true, true)
	if n := strings.Count(g.log.String(), "the old ones stay in use"); n != 4 {
		t.Errorf("the log says so %d times:\n%s", n, &g.log)
	}
	g.write(bob)
	want("without alice", false, true)
	revoked := func() error {
		_, err := old.Say(t.Context(), "still here")
		return err
	}
	if refused, ok := errors.AsType[*wire.Error](revoked()); !ok || refused.Code != wire.CodeDenied {
		t.Errorf("a connection outlives its token: %v", revoked())
	}
	g.write("alice "+hashOf(bobToken), "carol "+hashOf(aliceToken))
	want("as others", true, true)
	g.write(alice)
	want("with alice", true, false)
	old = g.as(aliceToken)
	if _, err := old.Say(t.Context(), "hi"); err != nil {
		t.Error(err)
	}
	g.write("alice " + hashOf(bobToken))
	want("with a new token", false, true)
	if refused, ok := errors.AsType[*wire.Error](revoked()); !ok || refused.Code != wire.CodeDenied {
		t.Errorf("a connection outlives its token, which was changed: %v", revoked())
	}
}

// TestGuesses shows a server wrong tokens. All get the same words, and the store
// stays as it was. By hand:
//
//	go test ./commands -run TestGuesses -guesses 100000
func TestGuesses(t *testing.T) {
	g := startGuarded(t, dir.Options{}, "alice "+hashOf(aliceToken), "bob "+hashOf(bobToken))
	config := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for i := range *guesses {
		guess := []byte(aliceToken)
		guess[i%len(guess)] ^= byte(1 + i/len(guess)%31) // never NUL
		if i%2 == 0 {
			guess = []byte(numbered(i))
		}
		nc, err := net.Dial("tcp", g.listener.Addr().String())
		must(t, err)
		nc, err = wire.Encrypt(t.Context(), nc, config, 0)
		must(t, err)
		err = wire.PingAs(t.Context(), nc, string(guess), 0)
		if err == nil || err.Error() != "this server requires a valid token (denied)" {
			t.Fatalf("guess %d, %q: %v", i, guess, err)
		}
	}
	g.want(map[string]string{})
	if len(g.events) > 0 {
		t.Errorf("received %v", g.events)
	}
	if strings.Contains(g.log.String(), "alice") || strings.Contains(g.log.String(), "number 0") {
		t.Errorf("the log tells of tokens: %.1000s", &g.log)
	}
}

// TestQuotaOfServer: a quota holds after a restart, and what is removed makes room.
func TestQuotaOfServer(t *testing.T) {
	line := "alice " + hashOf(aliceToken) + " dir=alice max-bytes=100"
	g := startGuarded(t, dir.Options{}, line)
	must(t, os.Mkdir(filepath.Join(g.dir, "alice"), 0o777))
	must(t, os.WriteFile(filepath.Join(g.dir, "alice", "there before"), make([]byte, 60), 0o666))
	c := g.as(aliceToken)
	for _, tt := range []struct{ contents, want string }{{strings.Repeat("x", 41), "quota"}, {strings.Repeat("x", 40), "f"}, {"y", "quota"}} {
		if got := upload(c, "f", tt.contents); got != tt.want {
			t.Errorf("%d bytes: %s, want %s", len(tt.contents), got, tt.want)
		}
	}
	if _, err := c.Say(t.Context(), "still here"); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
	must(t, os.Remove(filepath.Join(g.dir, "alice", "there before")))
	for overdue := time.Now().Add(time.Minute); upload(c, "g", "y") != "g"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(overdue) {
			t.Fatal("what was removed makes no room")
		}
	}
	g.write(line + "000")
	if got := upload(g.as(aliceToken), "h", strings.Repeat("x", 1000)); got != "h" {
		t.Errorf("with more room: %s", got)
	}
}

// numbered is the i-th of many tokens.
func numbered(i int) string { return fmt.Sprintf("token number %032d", i) }
