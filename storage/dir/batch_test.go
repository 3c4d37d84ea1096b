package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
)

// Files that have no name get theirs from whoever leads their round, each once,
// whichever of the rounds fails.
func TestBatchOfNameless(t *testing.T) {
	for failing := range 4 {
		folder := storagetest.MemoryDir(t)
		d, w := (batched | unnamed).watch(t, folder)
		rounds := 0 // there is one at a time
		w.before = func(call string) error {
			if call == "syncfs" {
				if rounds++; rounds == failing {
					return syscall.EIO
				}
			}
			return nil
		}
		c := slices.Concat(mixed, mixed)
		receipts, errs := make([]storage.Receipt, len(c)), make([]error, len(c))
		var all sync.WaitGroup
		for i, f := range c {
			all.Go(func() { receipts[i], errs[i] = upload(d, f.name, f.data) })
		}
		all.Wait()
		c.check(t, folder, receipts, errs, false)
		if err := errors.Join(errs...); (err != nil) != (failing > 0) {
			t.Errorf("round %d fails: %v", failing, err)
		}
		if len(d.publishing.Held) > 0 || d.batch.rounds.led || d.batch.waiting.Load() != 0 {
			t.Errorf("round %d fails: names %v held, led %v, %d wait", failing, d.publishing.Held, d.batch.rounds.led, d.batch.waiting.Load())
		}
	}
}

// Files that are committed at once share their barriers. Whoever does not wait
// for one when it begins waits for the next.
func TestBatchIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := storagetest.MemoryDir(t)
		c := make(crowd, 16)
		for i := range c {
			c[i].name, c[i].data = fmt.Sprint(i%3, "/", i), fmt.Sprint(i)
		}
		d, w := c.watch(t, folder)
		w.before = func(call string) error {
			if call == "syncfs" {
				synctest.Wait() // all others wait, too
			}
			return nil
		}
		receipts, errs := c.upload(d)
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		c.check(t, folder, receipts, errs, false)
		rounds := 0
		for _, call := range w.taken() {
			if call == "syncfs" {
				rounds++
			} else if strings.HasPrefix(call, "sync") {
				t.Errorf("%q though all could share", call)
			}
		}
		// The first file may be alone in its round, and always one step ahead.
		if rounds > 4 {
			t.Errorf("%d rounds", rounds)
		}
		if n := d.batch.waiting.Load(); n != 0 {
			t.Errorf("%d files still wait", n)
		}
		if n := d.batch.unsynced.Load(); n != 0 {
			t.Errorf("%d bytes are still counted", n)
		}
	})
}

// When a batch cannot be made durable, no file of it is acknowledged or stays
// visible, whichever barrier it waits for, and the store has failed. There are at
// least three rounds: the second file of a name waits for the first.
func TestBatchFails(t *testing.T) {
	for n := 1; n <= 3; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				folder := storagetest.MemoryDir(t)
				d, w := mixed.watch(t, folder)
				rounds := 0
				w.before = func(call string) error {
					if call != "syncfs" {
						return nil
					}
					synctest.Wait()
					if rounds++; rounds == n {
						return noSpace[0]
					}
					return nil
				}
				receipts, errs := mixed.upload(d)
				failed := 0
				for i, err := range errs {
					if err != nil {
						failed++
					}
					if err != nil && (!errors.Is(err, storage.ErrFailed) || errors.Is(err, storage.ErrNoSpace)) {
						t.Errorf("file %d: %v, want ErrFailed", i, err)
					}
				}
				if failed == 0 || n == 1 && failed < len(mixed) {
					t.Errorf("%d files failed", failed)
				}
				mixed.check(t, folder, receipts, errs, false)
				if !errors.Is(d.Err(), storage.ErrFailed) {
					t.Errorf("Err: %v", d.Err())
				}
				if rounds > n {
					t.Errorf("%d rounds, %d after the failure", rounds, rounds-n)
				}
				if _, err := d.Create(context.Background(), storage.File{Name: "later"}); !errors.Is(err, storage.ErrFailed) {
					t.Errorf("Create: %v, want ErrFailed", err)
				}
			})
		})
	}
}

// The fault of one file is not that of others.
func TestFaultWithinBatch(t *testing.T) {
	folder := storagetest.MemoryDir(t)
	d, w := mixed.watch(t, folder)
	w.before = func(call string) error {
		if call == "move P7 h" || call == "mkdir a/b" {
			return syscall.EIO
		}
		return nil
	}
	receipts, errs := mixed.upload(d)
	for i, err := range errs {
		if bad := i == 7 || i == 6; (err != nil) != bad {
			t.Errorf("file %d: %v", i, err)
		}
	}
	mixed.check(t, folder, receipts, errs, false)
	if err := d.Err(); err != nil {
		t.Error(err)
	}
}

// Who is cancelled while the contents are made durable is not published, and
// who is cancelled later is.
func TestCancelledWithinBatch(t *testing.T) {
	for n, want := range []error{1: context.Canceled, 2: nil} {
		if n == 0 {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			folder := storagetest.MemoryDir(t)
			c := crowd{{"f", "one"}}
			d, w := c.watch(t, folder)
			ctx, cancel := context.WithCancel(context.Background())
			rounds := 0
			w.before = func(call string) error {
				if call == "syncfs" {
					if rounds++; rounds == n {
						cancel()
					}
				}
				return nil
			}
			r, err := c.one(ctx, d, 0)
			if !errors.Is(err, want) {
				t.Errorf("cancelled in round %d: %v, want %v", n, err, want)
			}
			c.check(t, folder, []storage.Receipt{r}, []error{err}, false)
		})
	}
}

// Close waits for a batch, and whoever is in it is acknowledged.
func TestCloseWithinBatch(t *testing.T) {
	folder := storagetest.MemoryDir(t)
	d, w := mixed.watch(t, folder)
	var closing sync.WaitGroup
	var close sync.Once
	w.before = func(call string) error {
		if call == "syncfs" {
			close.Do(func() {
				closing.Go(func() {
					if err := d.Close(); err != nil {
						t.Error(err)
					}
				})
				<-d.closing
			})
		}
		return nil
	}
	receipts, errs := mixed.upload(d)
	closing.Wait()
	acknowledged := 0
	for _, err := range errs {
		if err == nil {
			acknowledged++
		} else if !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	}
	if acknowledged == 0 {
		t.Errorf("nothing was acknowledged: %v", errs)
	}
	mixed.check(t, folder, receipts, errs, false)
}

// The process dies before every call of a batch, alone or with the machine.
func TestDeathWithinBatch(t *testing.T) {
	for n := 0; ; n++ {
		died := false
		for _, m := range []machine{survives, losesNames, keepsNames} {
			t.Run(fmt.Sprintf("%d, %v", n, m), func(t *testing.T) {
				folder := storagetest.MemoryDir(t)
				d, w := mixed.watch(t, folder)
				w.mortal, w.lives = true, n
				receipts, errs := mixed.upload(d)
				calls := w.taken()
				died = died || len(calls) > n
				d.Close()
				cutPower(t, m, folder, calls[:min(n, len(calls))], mixed.partials(), nil)

				d, _ = mixed.watch(t, folder)
				mixed.check(t, folder, receipts, errs, true)
				receipts, errs = mixed.upload(d)
				if err := errors.Join(errs...); err != nil {
					t.Errorf("second try: %v", err)
				}
				mixed.check(t, folder, receipts, errs, true)
				if _, rest := hiddenIn(t, folder); len(rest) > 0 {
					t.Errorf("left behind: %v", rest)
				}
			})
		}
		if !died {
			return
		}
	}
}

// A syncfs must be worth its price.
func TestWhenToBatch(t *testing.T) {
	const (
		fsyncs = "sync P, close P, move P f, open ., sync ., close ."
		before = "lstat f, create P, write P, chtimes P, stat P, attribute P, chmod P, "
	)
	if !canSyncDirs {
		t.Skip("directories cannot be synced on this system")
	}
	for what, test := range map[string]struct {
		prepare func(d *Store, w *watch)
		want    string
	}{
		"alone":         {func(d *Store, _ *watch) { d.batch.from = 2 }, fsyncs},
		"many":          {func(d *Store, _ *watch) { d.batch.from = 2; d.batch.enter(false) }, "close P, syncfs, move P f, syncfs"},
		"much to write": {func(d *Store, _ *watch) { d.batch.unsynced.Add(maxUnsynced + 1) }, fsyncs},
		"others write much": {func(d *Store, w *watch) {
			d.batch.patience = time.Second
			w.before = func(string) error { time.Sleep(2 * time.Second); return nil }
			d.syncAll()
			w.before = func(string) error { time.Sleep(time.Second); return nil }
		}, fsyncs},
		"no syncfs": {func(d *Store, _ *watch) { d.batch.from = 0 }, fsyncs},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // time stands still
				d, w := batched.watch(t, storagetest.MemoryDir(t))
				test.prepare(d, w)
				w.taken()
				mustUpload(t, d, "f", "new")
				expectCalls(t, w, before+test.want)
			})
		})
	}
}

// A file that was begun among many waits for those that follow it.
func TestBatchBeginsWithTheFirst(t *testing.T) {
	d, w := unnamed.watch(t, storagetest.MemoryDir(t))
	d.batch.from = 2
	mustUpload(t, d, "f", "new")
	expectCalls(t, w, "lstat f, nameless, write P, modtime P, stat P, attribute P, syncfs, name P f, syncfs, close P")
}

// What the system calls syncfs works on the system at hand, where it is used.
func TestSyncAll(t *testing.T) {
	folder := storagetest.MemoryDir(t)
	d := mustOpen(t, folder, Options{})
	if d.batch.from == 0 {
		t.Skip("syncfs cannot be relied on here")
	}
	d.batch.from = 1
	c := make(crowd, 32)
	for i := range c {
		c[i].name, c[i].data = fmt.Sprint(i%5, "/", i), fmt.Sprint(i)
	}
	receipts, errs := c.upload(d)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	c.check(t, folder, receipts, errs, false)
	if entries, err := os.ReadDir(filepath.Join(folder, hidden)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
}
