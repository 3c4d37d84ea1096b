package dir

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
)

func TestResumeInANewProcess(t *testing.T) {
	folder := t.TempDir()
	d := mustOpen(t, folder, Options{})
	leave(t, d, "suspended", "hello")
	begun(t, d, resumableFile("in progress", 6), "hello")
	begun(t, d, resumableFile("", 6), "hello")
	mustCreate(t, d, resumableFile("nothing yet", 6))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, folder, Options{})
	var names []string
	for _, l := range d.Leftovers() {
		if l.Size != 5 || l.Age < 0 || l.Age > time.Hour {
			t.Errorf("leftover %+v", l)
		}
		names = append(names, l.Name)
	}
	want := map[string]bool{filepath.Base(partialPath(storage.File{ID: "suspended"})): true, filepath.Base(partialPath(storage.File{ID: "in progress"})): true}
	if len(names) != 2 || !want[names[0]] || !want[names[1]] || names[0] == names[1] {
		t.Errorf("leftovers %q, want %v", names, want)
	}
	for _, id := range []string{"suspended", "in progress"} {
		p := mustCreate(t, d, resumableFile(id, 6))
		if got := p.Offer().Size; got != 5 {
			t.Errorf("%s: resumed %d bytes", id, got)
		}
		if len(d.Leftovers()) != 1 {
			t.Errorf("%s: still among the leftovers: %+v", id, d.Leftovers())
		}
		if _, err := p.ReadFrom(strings.NewReader("!")); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Commit(context.Background(), storage.Sum{Size: 6}); err != nil {
			t.Fatal(err)
		}
		leave(t, d, id, "hello") // for the next round
	}
	if got := tree(t, folder); got["f"] != "hello!" || len(got) != 1 {
		t.Errorf("visible: %q", got)
	}
}

// An interrupted upload reads all that was left, and may be interrupted there.
func TestResumeIsInterrupted(t *testing.T) {
	data := strings.Repeat("x", 3<<20)
	var closing sync.WaitGroup
	for what, test := range map[string]struct {
		interrupt func(d *Store, cancel func())
		want      error
	}{
		"cancelled": {func(_ *Store, cancel func()) { cancel() }, context.Canceled},
		"closed":    {func(d *Store, _ func()) { closing.Go(func() { d.Close() }); <-d.closing }, errClosed},
	} {
		t.Run(what, func(t *testing.T) {
			folder := t.TempDir()
			d, w := watchDir(t, folder, storage.Rename)
			leave(t, d, "id", data)
			ctx, cancel := context.WithCancel(context.Background())
			reads := 0
			w.before = func(call string) error {
				if strings.HasPrefix(call, "read") {
					reads++
					test.interrupt(d, cancel)
				}
				return nil
			}
			if _, err := d.Create(ctx, resumableFile("id", 4<<20)); !errors.Is(err, test.want) {
				t.Errorf("Create: %v, want %v", err, test.want)
			}
			if reads > 1 {
				t.Errorf("%d reads", reads)
			}
			w.before = func(string) error { return nil }
			closing.Wait()
			d.Close()
			d = mustOpen(t, folder, Options{})
			if got := resumedSize(t, d, "id"); got != int64(len(data)) {
				t.Errorf("%d bytes are left", got)
			}
		})
	}
}

// A server that dies between link and remove leaves a partial that is a
// published file, too, and must not be written to.
func TestPublishedLeftover(t *testing.T) {
	folder := t.TempDir()
	d := mustOpen(t, folder, Options{})
	mustUpload(t, d, "g", "hello")
	for _, reopen := range []bool{false, true} {
		if err := os.Link(filepath.Join(folder, "g"), pathOf(folder, "id")); err != nil {
			t.Fatal(err)
		}
		if reopen {
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d = mustOpen(t, folder, Options{})
		}
		p := begun(t, d, resumableFile("id", 10), "0123456789")
		if got := p.Offer().Size; got != 0 {
			t.Errorf("resumed %d bytes of a published file", got)
		}
		if err := p.Abort(); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(map[string]string{"g": "hello"}, tree(t, folder)); diff != "" {
		t.Errorf("visible (-want +got):\n%s", diff)
	}
}

// Bytes that a power cut has spoiled are seen by their digest, and a partial
// that is longer than it may be is dropped.
func TestSpoiltLeftover(t *testing.T) {
	folder := t.TempDir()
	d := mustOpen(t, folder, Options{})
	leave(t, d, "id", "hello")
	if err := os.WriteFile(pathOf(folder, "id"), make([]byte, 5), 0); err != nil {
		t.Fatal(err)
	}
	p := mustCreate(t, d, resumableFile("id", 6))
	zeros := sha256.Sum256(make([]byte, 5))
	if diff := cmp.Diff(storage.Offer{Size: 5, Digest: "sha256", Proof: zeros[:]}, p.Offer()); diff != "" {
		t.Errorf("Offer (-want +got):\n%s", diff)
	}
	if err := p.Suspend(); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(pathOf(folder, "id"), 7); err != nil {
		t.Fatal(err)
	}
	p = mustCreate(t, d, resumableFile("id", 6))
	if got := p.Offer(); got.Size != 0 {
		t.Errorf("resumed %+v of a longer file", got)
	}
	if _, err := p.ReadFrom(strings.NewReader("hello!")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(context.Background(), storage.Sum{Size: 6}); err != nil {
		t.Error(err)
	}
}

// An ID is in use until nothing of its upload is left: otherwise the next one
// would lose its partial to the removal of the last one's.
func TestInUseUntilRemoved(t *testing.T) {
	d, w := watchDir(t, t.TempDir(), storage.Rename)
	removed := 0 // or all but
	w.before = func(call string) error {
		if call == "remove P" || call == "sync ." || call == "sync f" {
			removed++
			if _, err := d.Create(context.Background(), resumableFile("id", 5)); !errors.Is(err, storage.ErrInUse) {
				t.Errorf("Create: %v, want ErrInUse", err)
			}
		}
		return nil
	}
	p := begun(t, d, resumableFile("id", 5), "hello")
	if _, err := p.Commit(context.Background(), storage.Sum{Size: 5}); err != nil {
		t.Error(err)
	}
	if err := begun(t, d, resumableFile("id", 5), "he").Abort(); err != nil {
		t.Error(err)
	}
	if removed != 2 {
		t.Errorf("%d times", removed)
	}
}
