package dir

import (
	"testing"
	"testing/synctest"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
)

// TestFewCounts has a folder counted while as many are as may be: each has a thread.
func TestFewCounts(t *testing.T) {
	folder := storagetest.MemoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		d, _ := watchDir(t, folder, storage.Rename)
		defer d.Close()
		for range maxCounts {
			d.counting <- struct{}{}
		}
		counted := false
		go func() {
			if _, err := d.Usage(t.Context(), "folder"); err != nil {
				t.Error(err)
			}
			counted = true
		}()
		synctest.Wait()
		if counted {
			t.Error("one more was counted")
		}
		<-d.counting
		synctest.Wait()
		if !counted {
			t.Error("it was not counted in its turn")
		}
	})
}
