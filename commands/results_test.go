package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/terminal/terminaltest"
	"github.com/labnet/labnet/commands/uploader"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

// TestResultsComeAtOnce: results that come together are written together, but none
// is held back for the next. Here the server keeps no file before it has seen the
// results of all those before.
func TestResultsComeAtOnce(t *testing.T) {
	const files = 40
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d", i)), []byte("contents"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out results
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &wire.Server{Store: watching{keeper{storagetest.NewMemory()}, &out}}
	var serving sync.WaitGroup
	serving.Go(func() { srv.Serve(l) })
	defer serving.Wait()
	defer srv.Close()
	u := &uploader.Uploader{
		Con:     &terminal.Console{In: os.Stdin, Out: &out, Err: t.Output()},
		Session: client.Session{Options: client.Options{Addr: l.Addr().String(), Timeout: time.Minute}},
		Options: uploader.Options{Digest: wire.Digests()[0]},
	}
	defer u.Close()
	if err := u.Upload(t.Context(), []string{dir}); err != nil {
		t.Error(err)
	}
	if n := out.count(); n != files {
		t.Errorf("%d results, want %d", n, files)
	}
}

// results counts lines.
type results struct {
	mu    sync.Mutex
	lines int
}

func (r *results) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

func (r *results) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines
}

// watching is a store that waits with each file for the results of those before,
// which its name counts.
type watching struct {
	wire.Store
	out *results
}

func (w watching) Create(ctx context.Context, a wire.Announcement) (wire.Upload, error) {
	u, err := w.Store.Create(ctx, a)
	return watchingUpload{u, a.Name, w.out}, err
}

type watchingUpload struct {
	wire.Upload
	name string
	out  *results
}

func (w watchingUpload) Commit(ctx context.Context, want wire.Sum) (wire.Saved, error) {
	var before int
	fmt.Sscan(strings.TrimLeft(filepath.Base(w.name), "0"), &before)
	for end := time.Now().Add(10 * time.Second); w.out.count() < before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return wire.Saved{}, errors.New("no results")
		}
	}
	return w.Upload.Commit(ctx, want)
}

// TestProgressCounts: what upload tells the meter agrees with what it does,
// whatever becomes of a thing.
func TestProgressCounts(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	for name, size := range map[string]int{"few": 10, "many": uploader.MaxReadAhead + 1, "folder/resumable": uploader.MinResumable, "folder/again": 100} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, make([]byte, size), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir("folder/empty", 0o700), os.Symlink("nowhere", "folder/link")); err != nil {
		t.Fatal(err)
	}
	store, err := dir.Open(filepath.Join(folder, "store"), dir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var serving sync.WaitGroup
	defer serving.Wait()
	srv := &wire.Server{Store: keeper{store}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving.Go(func() { srv.Serve(l) })
	defer srv.Close()

	screen := terminaltest.NewScreen(80)
	con := terminal.New(os.Stdin, screen, screen)
	u := &uploader.Uploader{
		Con:     con,
		Session: client.Session{Options: client.Options{Addr: l.Addr().String(), Timeout: time.Minute}},
		Options: uploader.Options{Digest: wire.Digests()[0]},
	}
	defer u.Close()
	if err := u.Upload(t.Context(), []string{"few", "missing", "many", "folder"}); err == nil {
		t.Error("no error")
	}
	const things = 7 // the missing file and the link included
	if done, found, sent := con.Meter.Counts(); found != things || done != things || sent != 10+uploader.MaxReadAhead+1+uploader.MinResumable+100 {
		t.Errorf("%d of %d done, %d bytes sent", done, found, sent)
	}
	// Those of the folder have no lines, except for the link.
	if lines := screen.Lines(); len(lines) != 6 || !strings.HasPrefix(lines[5], "4 files, 1.0 MiB, ") || !strings.HasSuffix(lines[5], "; 1 empty folder; 1 skipped; 1 failed") {
		t.Errorf("the screen shows\n%s", strings.Join(lines, "\n"))
	}
}
