package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/lasttime"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// TestInviteAndRevoke: the file as it is after each change, where H is the hash of the
// new token and A and B are those of others.
func TestInviteAndRevoke(t *testing.T) {
	end := time.Date(2026, 12, 31, 18, 0, 0, 0, time.UTC)
	alice := Grant{Name: "alice"}
	all := Grant{"alice", "say,upload", "20GiB", "500", "from/alice", end}
	const full = "alice H say,upload max-bytes=20GiB max-files=500 dir=from/alice until=2026-12-31T18:00:00Z\n"
	for _, test := range []struct {
		old   string
		grant *Grant // nil: alice is revoked
		renew bool
		want  string // the file or, if that stays, the error
	}{
		{"", &alice, false, "alice H\n"},
		{"", &all, false, full},
		{"bob B", &alice, false, "bob B\nalice H\n"},
		{"# all\n\nbob B # the other\r\n", &alice, false, "# all\n\nbob B # the other\nalice H\n"},
		{"# none yet\n", &alice, false, "# none yet\nalice H\n"},
		{"nobody\n", &alice, false, "alice H\n"},
		{"alice A\n", &alice, false, "alice has a token already"},
		{"bob B\n", &alice, true, `no user is called "alice"`},
		{"alice A say # hers\nbob B\n", &alice, true, "alice H say # hers\nbob B\n"},
		{"alice A dir=x max-bytes=1\n", &alice, true, "alice H dir=x max-bytes=1\n"},
		{"alice A until=2020-01-01\n", &alice, true, "alice H\n"},
		{"alice A blob dir=x max-bytes=1 max-files=2\n", &all, true, full},
		{"alice A\nnonsense\n", &alice, true, "line 2: a name and"},
		{"alice A\nbob B\n", nil, false, "bob B\n"},
		{"# all\nalice A\n", nil, false, "# all\nnobody\n"},
		{"alice A\n", nil, false, "nobody\n"},
		{"bob B\n", nil, false, `no user is called "alice"`},
		{"nobody\n", nil, false, `no user is called "alice"`},
	} {
		file := filepath.Join(t.TempDir(), "tokens")
		hashes := strings.NewReplacer(" A", " "+hashOf(aliceToken), " B", " "+hashOf(bobToken))
		old := hashes.Replace(test.old)
		if test.old != "" {
			must(t, os.WriteFile(file, []byte(old), 0o600))
		}
		token, err := "", error(nil)
		if test.grant != nil {
			token, err = Invite(file, *test.grant, test.renew)
		} else {
			err = Revoke(file, "alice")
		}
		got, _ := os.ReadFile(file)
		want := strings.ReplaceAll(hashes.Replace(test.want), " H", " "+hashOf(token))
		if err != nil {
			want = old
			if !strings.Contains(problem.Of(err).Message, test.want) {
				t.Errorf("%q: error %v, want %s", test.old, err, test.want)
			}
		}
		if string(got) != want {
			t.Errorf("%q: the file has %q, want %q", test.old, got, want)
		}
		if _, err := readUsers(file); err != nil && want != old {
			t.Errorf("%q: %v", test.old, err)
		}
	}
}

// TestBadGrants: no line says what a tokens file cannot say.
func TestBadGrants(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	for _, g := range []Grant{
		{}, {Name: "a b"}, {Name: "#a"}, {Name: "../a"}, {Name: "a", Rights: "ping"}, {Name: "a", Rights: "say upload"}, {Name: "a", Dir: "../b"},
		{Name: "a", Dir: "b c"}, {Name: "a", Dir: "b\nroot"}, {Name: "a", Dir: "#b"}, {Name: "a", MaxBytes: "1GB"}, {Name: "a", MaxBytes: "much", Dir: "b"},
		{Name: "a", MaxFiles: "5"}, {Name: "a", MaxFiles: "many", Dir: "b"},
		{Name: "a", Dir: ".labnet"},
	} {
		if _, err := Invite(file, g, false); err == nil {
			t.Errorf("%+v: no error", g)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("there is a file")
	}
}

// TestInvitesAtOnce: whoever is invited at the same moment is in.
func TestInvitesAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	var invites sync.WaitGroup
	for i := range 10 {
		invites.Go(func() {
			if _, err := Invite(file, Grant{Name: fmt.Sprint("user", i)}, false); err != nil {
				t.Error(err)
			}
		})
	}
	invites.Wait()
	users, err := Users(file)
	if err != nil || len(users) != 10 {
		t.Errorf("%d users, %v", len(users), err)
	}
}

// TestWritableTokens: what others can write to is not added to.
func TestWritableTokens(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	file := filepath.Join(t.TempDir(), "tokens")
	must(t, os.WriteFile(file, []byte("bob "+hashOf(bobToken)+"\n"), 0o600))
	must(t, os.Chmod(file, 0o620))
	_, err := Invite(file, Grant{Name: "alice"}, false)
	for _, err := range []error{err, Revoke(file, "bob")} {
		if !errors.Is(err, errWritable) || !strings.HasPrefix(problem.Of(err).Hint, "chmod go-w") {
			t.Errorf("error %v", err)
		}
	}
}

// TestUntil: a token ends by itself, on connections that exist, too.
func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "tokens")
		token, err := Invite(file, Grant{Name: "alice", Until: time.Now().Add(time.Hour)}, false)
		must(t, err)
		d := doorkeeper(t, file)
		id, ok := d.Authenticate(token)
		if !ok || !id.Valid() {
			t.Fatal("the token does not hold")
		}
		time.Sleep(time.Hour - time.Second)
		if !id.Valid() {
			t.Error("the token ends too early")
		}
		time.Sleep(time.Second)
		if _, err := id.Permit("upload"); id.Valid() || err == nil {
			t.Error("the token does not end")
		}
		if _, ok := d.Authenticate(token); ok {
			t.Error("a token that has ended is accepted")
		}
	})
}

// TestLastRevoked: a server that runs notices that nobody is left.
func TestLastRevoked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	token, err := Invite(file, Grant{Name: "alice"}, false)
	must(t, err)
	d := doorkeeper(t, file)
	if _, ok := d.Authenticate(token); !ok {
		t.Fatal("the token does not hold")
	}
	must(t, Revoke(file, "alice"))
	if _, ok := d.Authenticate(token); ok {
		t.Error("a token that was revoked is accepted")
	}
}

// TestSeen: it is written down when users were last there, also across restarts.
func TestSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		file, seenFile := filepath.Join(folder, "tokens"), filepath.Join(folder, "seen")
		alice, err := Invite(file, Grant{Name: "alice"}, false)
		must(t, err)
		bob, err := Invite(file, Grant{Name: "bob"}, false)
		must(t, err)
		begin := time.Now().UTC().Truncate(time.Second)
		want := func(want map[string]time.Time) {
			t.Helper()
			synctest.Wait()
			got, err := lasttime.Read(seenFile)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		run := func(use func(d *Doorkeeper)) {
			d := doorkeeper(t, file)
			ctx, stop := context.WithCancel(t.Context())
			var record sync.WaitGroup
			record.Go(func() { d.RecordSeen(ctx, seenFile, zerolog.Nop()) })
			use(d)
			stop()
			record.Wait()
		}
		run(func(d *Doorkeeper) {
			id, _ := d.Authenticate(alice)
			time.Sleep(lasttime.Interval)
			want(map[string]time.Time{"alice": begin})
			id.Permit("say")
		})
		want(map[string]time.Time{"alice": begin.Add(lasttime.Interval)})
		time.Sleep(time.Hour)
		run(func(d *Doorkeeper) { d.Authenticate(bob) })
		want(map[string]time.Time{"alice": begin.Add(lasttime.Interval), "bob": begin.Add(lasttime.Interval + time.Hour)})
		must(t, Revoke(file, "alice"))
		run(func(d *Doorkeeper) { d.Authenticate(alice) })
		want(map[string]time.Time{"bob": begin.Add(lasttime.Interval + time.Hour)})
	})
}

// doorkeeper returns one of a tokens file, and of a store of its own.
func doorkeeper(t *testing.T, file string) *Doorkeeper {
	t.Helper()
	store, err := dir.Open(t.TempDir(), dir.Options{})
	must(t, err)
	t.Cleanup(func() { store.Close() })
	d, err := NewDoorkeeper(&reload.Watcher{}, file, store, func(storage.Store) wire.Store { return nil }, zerolog.Nop())
	must(t, err)
	return d
}

// TestUntilForms: when a token ends, as people write it.
func TestUntilForms(t *testing.T) {
	for text, want := range map[string]string{
		"2026-12-31": "2027-01-01T00:00:00Z", "2026-12-31T18:00:00Z": "2026-12-31T18:00:00Z", "2026-12-31T18:00:00+02:00": "2026-12-31T16:00:00Z",
		"tomorrow": "", "": "", "2026-13-01": "", "1960-01-01T00:00:00Z": "", "31.12.2026": "",
	} {
		got, err := ParseUntil(text)
		if (err == nil) != (want != "") || err == nil && got.Format(time.RFC3339) != want {
			t.Errorf("%q is %v, %v; want %s", text, got, err, want)
		}
	}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(aliceToken)))
	for _, text := range []string{"alice " + hash + " until=soon", "alice " + hash + " until=2026-12-31 until=2026-12-30", "nobody\nalice " + hash, "nobody " + hash + " nobody"} {
		if _, err := parseUsers([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
