package wire_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestUsers tells whose things were received.
func TestUsers(t *testing.T) {
	alice, bob := &visitor{name: "alice", store: &store{}}, &visitor{name: "bob", store: &store{}}
	serve(t, knowing(alice, bob), func(w *world) {
		for _, name := range []string{"alice", "bob"} {
			p := w.dial()
			p.send(auth(name) + str("f|") + data(2, name) + end(name) + str("hi") + data(2, "x"))
			p.hear("OK|", ok(1), saved(1, "f", name), "Message: hi", kept("#1", "x"))
			p.Close()
		}
		for i, e := range w.events {
			if want := []string{"alice", "bob"}[i/3]; e.User != want {
				t.Errorf("event %d is of %q, want %q", i, e.User, want)
			}
		}
		alice.store.(*store).wantFiles(t, map[string]string{"f": "alice", "#1": "x"})
		bob.store.(*store).wantFiles(t, map[string]string{"f": "bob", "#1": "x"})
		w.store.wantFiles(t, nil)
	})
}

// TestNoTakeoverOfOthers: one user's upload is not ended by another's of the same
// ID, and by his own it is.
func TestNoTakeoverOfOthers(t *testing.T) {
	alice, bob := &visitor{name: "alice", store: &store{}}, &visitor{name: "bob", store: &store{}}
	serve(t, knowing(alice, bob), func(w *world) {
		first, other := w.dial(), w.dial()
		first.send(auth("alice") + str(announceI) + data(2, "ab"))
		first.hear("OK|", ok(1))
		other.send(auth("bob") + str(announceI))
		other.hear("OK|", ok(1))
		first.wantOpen()
		again := w.dial()
		again.send(auth("alice") + str(announceI))
		again.hear("OK|", okFrom(1, "ab"))
		first.hear(superseded)
		other.wantOpen()
		for _, p := range []*peer{first, other, again} {
			p.Close()
		}
	})
}

// TestForbidden takes rights away before and in the middle of what they are for.
func TestForbidden(t *testing.T) {
	alice := &visitor{name: "alice"}
	serve(t, knowing(alice), func(w *world) {
		p := w.dial()
		p.send(auth("alice"))
		p.hear("OK|")
		alice.forbid("say")
		p.send(str("hi") + data(2, "x"))
		p.hear("ERROR|code=forbidden|", kept("#1", "x"))
		alice.forbid("blob")
		p.send(data(2, "x") + str("hi"))
		p.hear("ERROR|code=forbidden|", "Message: hi")
		p.send(str("f|size=2|") + data(2, "a"))
		p.hear(ok(1))
		alice.forbid("upload")
		p.send(data(2, "b"))
		p.hear("ERROR|code=forbidden|upload=1|")
		p.send(end("ab") + str("g|size=1|proof=sha256|id=x|") + str("folder/|"))
		p.hear("ERROR|code=forbidden|upload=2|", "ERROR|code=forbidden|upload=3|")
		alice.forbid("")
		p.send(str("f|size=1|") + data(2, "x"))
		p.hear(ok(4))
		alice.forbid("upload")
		p.send(end("x"))
		p.hear("ERROR|code=forbidden|upload=4|")
		p.Close()
		w.store.wantFiles(t, map[string]string{"#1": "x"})
	})
}

// TestRevoked takes a token away in every state of a conversation. From then on
// nothing is taken.
func TestRevoked(t *testing.T) {
	for _, tt := range []struct{ name, before, after string }{
		{"say", "", str("hi")},
		{"blob", "", data(2, "x")},
		{"announcement", "", str("f|")},
		{"folder", "", str("f/|")},
		{"Data", str("f|size=2|proof=sha256|id=i|"), data(2, "ab")},
		{"second Data", str("f|size=2|proof=sha256|id=i|") + data(2, "a"), data(2, "b")},
		{"inside a Data", str("f|size=2|proof=sha256|id=i|") + header(2, 2) + "a", "b" + end("ab")},
		{"inside a blob", header(2, 2) + "a", "b"},
		{"END", str("f|size=2|proof=sha256|id=i|") + data(2, "ab"), end("ab")},
		{"inside END", str("f|size=2|proof=sha256|id=i|") + data(2, "ab") + end("ab")[:9], end("ab")[9:]},
		{"CANCEL", str("f|"), str("CANCEL|")},
		{"another token", "", auth("bob")},
		{"nonsense", "", str("HELLO|")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			alice := &visitor{name: "alice"}
			serve(t, knowing(alice, &visitor{name: "bob"}), func(w *world) {
				p := w.dial()
				p.send(auth("alice") + tt.before)
				if said := decode(p.heard()); len(said) == 0 || said[0] != "OK|" {
					t.Fatalf("the server said %q", said)
				}
				alice.revoked.Store(true)
				p.send(tt.after)
				if tt.name == "another token" {
					p.hear("ERROR|code=protocol|")
				} else {
					p.hear(denied)
				}
				p.wantClosed()
				w.wantDid()
				w.store.wantFiles(t, nil)
				if len(w.store.folders) > 0 {
					t.Errorf("made %q", w.store.folders)
				}
			})
		})
	}
}

// A forbidden store fails the test that has it called.
type forbidden struct{ t testing.TB }

func (f forbidden) Create(_ context.Context, a wire.Announcement) (wire.Upload, error) {
	f.t.Errorf("Create(%+v)", a)
	return nil, errors.New("forbidden")
}

func (f forbidden) MakeFolder(_ context.Context, name string, _ []fs.FileMode) error {
	f.t.Errorf("MakeFolder(%q)", name)
	return errors.New("forbidden")
}

func (f forbidden) CheckFolder(_ context.Context, name string) error {
	f.t.Errorf("CheckFolder(%q)", name)
	return errors.New("forbidden")
}

func (f forbidden) Err() error {
	f.t.Error("Err: the store's state is asked for")
	return errors.New("secret")
}

// guarded makes a server want a token that nobody has, and has no use for its store.
func guarded(t testing.TB) func(*world) {
	return func(w *world) {
		knowing()(w)
		w.server.Store = forbidden{t}
	}
}

// tokenTime is longer than a peer may take to show a token, and any dialect's
// silence.
const tokenTime = 20 * time.Second
