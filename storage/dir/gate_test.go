package dir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/storage"
)

// frozen opens a store whose filesystem stands still from freeze until thaw. Inside
// counts the calls that wait for it.
func frozen(t *testing.T) (d *Store, freeze, thaw func(), inside *atomic.Int32) {
	d, w := watchDir(t, t.TempDir(), storage.Rename)
	still := make(chan struct{})
	inside = new(atomic.Int32)
	freeze = func() {
		w.before = func(string) error {
			inside.Add(1)
			defer inside.Add(-1)
			<-still
			return nil
		}
	}
	return d, freeze, func() { close(still) }, inside
}

// TestStandsStill: a filesystem that stands still holds a bounded number of threads
// and buffers, whatever is going on; Try says so within a second; and all goes on
// when it works again.
func TestStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = 500
		d, freeze, thaw, inside := frozen(t)
		var begun, suspended []storage.Partial
		for i := range each {
			begun = append(begun, mustCreate(t, d, storage.File{Name: fmt.Sprint("begun", i), Size: bufferSize}))
			suspended = append(suspended, mustCreate(t, d, storage.File{Name: "suspended", ID: fmt.Sprint(i), Size: 3, Digest: crc}))
		}
		if err := d.Try(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(freshTrial)
		freeze()
		var all sync.WaitGroup
		for i := range each {
			all.Go(func() {
				if _, err := begun[i].ReadFrom(strings.NewReader(strings.Repeat("x", bufferSize))); err != nil {
					t.Error(err)
				}
				if _, err := begun[i].Commit(t.Context(), storage.Sum{Size: bufferSize}); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				if err := suspended[i].Abort(); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				if _, err := upload(d, fmt.Sprint("new/", i), "abc"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := inside.Load(); n != maxCalls {
			t.Errorf("%d calls of the system are under way, want %d", n, maxCalls)
		}
		if n := buffersTaken.Load(); n > maxBuffers {
			t.Errorf("%d large buffers are taken, want at most %d", n, maxBuffers)
		}
		asked := time.Now()
		if err := d.Try(); !errors.Is(err, storage.ErrDegraded) || time.Since(asked) >= time.Second {
			t.Errorf("Try after %v: %v", time.Since(asked), err)
		}
		if n := inside.Load(); n != maxCalls+1 {
			t.Errorf("%d calls of the system are under way with one that tries, want %d", n, maxCalls+1)
		}
		thaw()
		all.Wait()
		time.Sleep(lookAgain)
		if err := d.Try(); err != nil {
			t.Error(err)
		}
		for i := range each {
			for _, name := range []string{fmt.Sprint("begun", i), fmt.Sprint("new/", i)} {
				if _, err := os.Lstat(filepath.Join(d.path, name)); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// TestTry: Try finds out what is wrong with the disk, once a second for all.
func TestTry(t *testing.T) {
	for _, test := range []struct{ is, want error }{
		{nil, nil},
		{syscall.EIO, storage.ErrDegraded},
		{syscall.EROFS, syscall.EROFS},
		{os.ErrPermission, os.ErrPermission},
		{noSpace[0], storage.ErrNoSpace},
	} {
		t.Run(fmt.Sprint(test.is), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, w := watchDir(t, t.TempDir(), storage.Rename)
				var tries atomic.Int32
				w.before = func(string) error {
					tries.Add(1)
					return test.is
				}
				for range 2 {
					var all sync.WaitGroup
					for range 10 {
						all.Go(func() {
							if err := d.Try(); !errors.Is(err, test.want) {
								t.Errorf("error %v, want %v", err, test.want)
							}
						})
					}
					all.Wait()
					time.Sleep(lookAgain)
				}
				synctest.Wait()
				if n := tries.Load(); n != 2 {
					t.Errorf("tried %d times, want 2", n)
				}
				w.before = func(string) error { return nil }
				if err := d.Try(); err != nil {
					t.Errorf("error %v after all is well", err)
				}
			})
		})
	}
}

// TestTrySlow: a disk that is only slow is none that stands still, for a while.
func TestTrySlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w := watchDir(t, t.TempDir(), storage.Rename)
		done := make(chan struct{})
		w.try = func(written func()) error {
			written()
			<-done
			return nil
		}
		begun := time.Now()
		for time.Since(begun) < slowTrial {
			if err := d.Try(); err != nil && time.Since(begun) < slowTrial {
				t.Errorf("after %v: %v", time.Since(begun), err)
			}
		}
		if err := d.Try(); !errors.Is(err, storage.ErrDegraded) {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		close(done)
	})
}
