package dir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
)

// TestManyComparisons has very many large files compared at once: two are read at a time,
// those that wait take no memory and no descriptor, and say that they wait; other uploads
// go on; and who is no longer wanted reads no further.
func TestManyComparisons(t *testing.T) {
	folder := storagetest.MemoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		const many = 128
		d, w := watchDir(t, folder, storage.Rename)
		defer d.Close()
		for i := range many {
			name := filepath.Join(folder, fmt.Sprint("large ", i))
			if err := errors.Join(os.WriteFile(name, nil, 0o666), os.Truncate(name, large)); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		reads, opened := map[string]int{}, 0
		goOn := make(chan struct{})
		w.before = func(call string) error {
			op, name, _ := strings.Cut(call, " ")
			if !strings.HasPrefix(name, "large") {
				return nil
			}
			mu.Lock()
			if op == "open" {
				opened++
			}
			if op == "read" {
				reads[name]++
			}
			mu.Unlock()
			if op == "read" {
				<-goOn
			}
			return nil
		}
		taken := buffersTaken.Load()
		waiting := 0
		ctx, cancel := context.WithCancel(storage.WithWaiting(t.Context(), func(wait func()) {
			mu.Lock()
			waiting++
			mu.Unlock()
			wait()
			mu.Lock()
			waiting--
			mu.Unlock()
		}))
		release := sync.OnceFunc(func() {
			cancel()
			close(goOn)
		})
		defer release()
		first, cancelFirst := context.WithCancel(ctx)
		results := make(chan error, many)
		begin := func(ctx context.Context, i int) {
			p, err := d.Create(ctx, storage.File{Name: fmt.Sprint("large ", i), Size: large, Digest: crc, Proofs: proofs})
			if err == nil {
				p.Abort()
			}
			results <- err
		}
		go begin(first, 0)
		synctest.Wait()
		for i := 1; i < many; i++ {
			go begin(ctx, i)
		}
		expect := func(reading, began, waits int) {
			t.Helper()
			synctest.Wait()
			if len(reads) != reading || opened != began || waiting != waits {
				t.Fatalf("%d files were read, %d opened, and %d wait; want %d, %d and %d", len(reads), opened, waiting, reading, began, waits)
			}
			if n := buffersTaken.Load() - taken; n > maxComparing {
				t.Errorf("%d buffers are taken", n)
			}
		}
		expect(2, 2, many-2)
		mustUpload(t, d, "small", "data")
		mustUpload(t, d, "middle", longer)
		mustUpload(t, d, "middle", longer) // compared beside

		cancelFirst()
		goOn <- struct{}{} // of one of the two
		goOn <- struct{}{}
		expect(3, 3, many-3)
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if n := reads["large 0"]; n != 1 {
			t.Errorf("it was read from %d times, although nobody wanted it any more", n)
		}
		release()
		synctest.Wait()
		for range many - 1 {
			if err := <-results; !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		}
		if len(reads) != 3 || waiting != 0 {
			t.Errorf("%d files were read, and %d wait", len(reads), waiting)
		}
	})
}
