package lasttime_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/lasttime"
)

// TestKeep: what has changed is written every few seconds, and at the end.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "times")
		want := func(want map[string]time.Time) {
			t.Helper()
			synctest.Wait()
			if got, err := lasttime.Read(file); err != nil || !maps.EqualFunc(got, want, time.Time.Equal) {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
		}
		want(nil)
		var mu sync.Mutex
		current := map[string]time.Time{}
		set := func(user string) {
			mu.Lock()
			defer mu.Unlock()
			current[user] = time.Now()
		}
		ctx, stop := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() {
			lasttime.Keep(ctx, file, func() map[string]time.Time {
				mu.Lock()
				defer mu.Unlock()
				return maps.Clone(current)
			}, zerolog.Nop())
		})
		time.Sleep(lasttime.Interval)
		want(nil)
		set("alice")
		time.Sleep(lasttime.Interval)
		want(current)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lasttime.Interval)
		want(nil) // nothing has changed
		set("")
		stop()
		keeping.Wait()
		want(current)
	})
}

// TestKeepAgain: what could not be written is tried again.
func TestKeepAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "later")
		file := filepath.Join(folder, "times")
		ctx, stop := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() {
			lasttime.Keep(ctx, file, func() map[string]time.Time { return map[string]time.Time{"alice": time.Unix(1, 0)} }, zerolog.Nop())
		})
		time.Sleep(lasttime.Interval + 1)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lasttime.Interval)
		synctest.Wait()
		if got, err := lasttime.Read(file); err != nil || len(got) != 1 {
			t.Errorf("got %v, %v", got, err)
		}
		stop()
		keeping.Wait()
	})
}

func TestReadBroken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "times")
	if err := os.WriteFile(file, []byte(`{"alice":"20`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := lasttime.Read(file); err == nil {
		t.Errorf("got %v", got)
	}
}
