package bandwidth

import (
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestReaders share a limit.
func TestReaders(t *testing.T) {
	const rate, size, readers = 1000, 2500, 4
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		limit := &Limit{Rate: rate}
		var all sync.WaitGroup
		for range readers {
			all.Go(func() {
				if n, err := io.Copy(io.Discard, limit.Reader(strings.NewReader(strings.Repeat("x", size)))); n != size || err != nil {
					t.Error(n, err)
				}
			})
		}
		all.Wait()
		const want = readers * size / rate * time.Second
		if took := time.Since(begun); took < want-slice || took > want+slice {
			t.Errorf("took %v, want %v", took, want)
		}
	})
}

func TestNoLimit(t *testing.T) {
	r := strings.NewReader("x")
	if (*Limit)(nil).Reader(r) != io.Reader(r) {
		t.Error("no limit has another reader")
	}
}
