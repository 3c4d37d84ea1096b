package storage

import (
	"testing"
	"testing/synctest"
)

// Two names that some filesystem takes for one are held by one at a time.
func TestNameLocksIgnoreCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newNameLocks()
		l.lock("Report.pdf")
		got := false
		go func() {
			l.lock("report.PDF")
			got = true
			l.unlock("report.PDF")
		}()
		synctest.Wait()
		if got {
			t.Error("held twice")
		}
		l.unlock("Report.pdf")
		synctest.Wait()
		if !got {
			t.Error("still held")
		}
	})
}
