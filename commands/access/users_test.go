package access

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// TestPermits follows who is who while the tokens file changes: a connection is that of
// one token, and may do what the file says now.
func TestPermits(t *testing.T) {
	folder, tokens := t.TempDir(), filepath.Join(t.TempDir(), "tokens")
	write := func(text string) { must(t, os.WriteFile(tokens, []byte(text), 0o600)) }
	alice, bob := "alice "+hashOf(aliceToken), "bob "+hashOf(bobToken)
	write(alice + " say,upload dir=a\n")
	store, err := dir.Open(folder, dir.Options{})
	must(t, err)
	defer store.Close()
	var inner storage.Store
	files := &reload.Watcher{}
	d, err := NewDoorkeeper(files, tokens, store, func(s storage.Store) wire.Store { inner = s; return nil }, zerolog.Nop())
	must(t, err)
	permits := func(id wire.Identity, op string, want bool) {
		t.Helper()
		_, err := id.Permit(op)
		refused, _ := errors.AsType[*wire.Error](err)
		if (err == nil) != want || err != nil && (refused == nil || refused.Code != wire.CodeForbidden) {
			t.Errorf("%s: %v", op, err)
		}
	}

	connected, ok := d.Authenticate(aliceToken)
	if !ok || connected.Name() != "alice" || !connected.Valid() {
		t.Fatal("alice is not let in")
	}
	permits(connected, "say", true)
	permits(connected, "blob", false)
	permits(connected, "upload", true)
	must(t, inner.MakeFolder(t.Context(), "b", nil))
	if fi, err := os.Stat(filepath.Join(folder, "a", "b")); err != nil || !fi.IsDir() {
		t.Errorf("the folder is not in that of alice: %v", err)
	}

	if _, ok := d.Authenticate(bobToken); ok {
		t.Error("bob is let in before he is in the file")
	}
	write(alice + " blob dir=a\n" + bob + "\n")
	if id, ok := d.Authenticate(bobToken); !ok || id.Name() != "bob" {
		t.Error("bob is not let in as soon as he is in the file")
	}
	permits(connected, "say", false)
	permits(connected, "blob", true)

	for what, text := range map[string]string{"another token": "alice " + hashOf(bobToken) + "\n", "somebody else": bob + "\n"} {
		write(text)
		files.Reload()
		if connected.Valid() {
			t.Errorf("alice is valid with %s in the file", what)
		}
		permits(connected, "upload", false)
		if _, ok := d.Authenticate(aliceToken); ok {
			t.Errorf("alice is let in with %s in the file", what)
		}
	}
}
