package storage

import (
	"testing"
	"testing/synctest"
)

// Two names that some filesystem takes for one are held by one at a time.
func TestNameLocksIgnoreCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewNameLocks()
		l.Lock("Report.pdf")
		got := false
		go func() {
			l.Lock("report.PDF")
			got = true
			l.Unlock("report.PDF")
		}()
		synctest.Wait()
		if got {
			t.Error("held twice")
		}
		l.Unlock("Report.pdf")
		synctest.Wait()
		if !got {
			t.Error("still held")
		}
	})
}
