package access

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// TestUses: who may send is listed with what is in the folder and on its way there.
func TestUses(t *testing.T) {
	folder, tokens := t.TempDir(), filepath.Join(t.TempDir(), "tokens")
	must(t, os.WriteFile(tokens, []byte("alice "+hashOf(aliceToken)+" dir=a max-bytes=100\nbob "+hashOf(bobToken)+"\n"), 0o600))
	store, err := dir.Open(folder, dir.Options{})
	must(t, err)
	defer store.Close()
	var inner storage.Store
	keep := func(s storage.Store) wire.Store { inner = s; return nil }
	d, err := NewDoorkeeper(&reload.Watcher{}, tokens, store, keep, zerolog.Nop())
	must(t, err)
	alice, _ := d.Authenticate(aliceToken)
	_, err = alice.Permit("upload")
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(folder, "a"), 0o755))
	must(t, os.WriteFile(filepath.Join(folder, "a", "old"), make([]byte, 7), 0o644))
	p, err := inner.Create(t.Context(), storage.File{Name: "new", Size: 5})
	must(t, err)
	uses := d.Uses(t.Context(), 10)
	if len(uses) != 2 || uses[0].Name != "alice" || uses[1].Name != "bob" {
		t.Fatalf("they are %+v", uses)
	}
	if got := uses[0]; !got.Counted || got.Used != (storage.Usage{Bytes: 12, Files: 2}) || got.MaxBytes != 100 || time.Since(got.Seen) > time.Minute {
		t.Errorf("alice has %+v", got)
	}
	if got := uses[1]; got.Counted || !got.Seen.IsZero() {
		t.Errorf("bob has %+v", got)
	}
	p.Abort()
	if got := d.Uses(t.Context(), 1); len(got) != 1 || got[0].Used != (storage.Usage{Bytes: 7, Files: 1}) {
		t.Errorf("later alice has %+v", got)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	d.quotaOf("a").counted = time.Time{}
	if got := d.Uses(cancelled, 1); got[0].Counted {
		t.Error("it was counted though that was cancelled")
	}
}
