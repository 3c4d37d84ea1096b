package dir

import (
	"sync/atomic"
	"time"
)

const (
	// batchFrom is how many files must wait for the disk for one syncfs to be
	// quicker than as many fsyncs side by side. Measured on ext4 with 10,000
	// files: from 2 to 4 on they take as long, from 16 on a fifth longer; on a
	// disk that others keep busy as many as 16 may be quicker by themselves.
	batchFrom = 4
	// maxUnsynced is how many bytes of other files a syncfs may have to write
	// out, too. With more, a large file that is being received would hold up
	// the small ones.
	maxUnsynced = 64 << 20
	// patience is how long a syncfs may take. If it takes longer, somebody
	// else writes much to the same disk, and the next ten times as long each
	// file gets an fsync of its own.
	patience = time.Second
)

// A batch makes files durable together while many wait.
//
// A file passes two barriers: its contents must be durable before it has its
// name, and the name before it is acknowledged. Each round is one barrier for
// every file that waits, whichever of the two it is for.
type batch struct {
	rounds   rounds
	from     int32         // files that must wait; 0 for never
	patience time.Duration // see the constant

	waiting  atomic.Int32 // files that wait for the disk
	unsynced atomic.Int64 // bytes of the others
	notUntil atomic.Int64 // Unix time in nanoseconds
}

// enter reports whether the caller should wait for a round rather than for an
// fsync of its own: if it is one of many that wait, or of many that were begun,
// which will follow. The caller must leave.
func (b *batch) enter(ofMany bool) bool {
	waiting := b.waiting.Add(1)
	return b.from > 0 && (ofMany || waiting >= b.from) && b.unsynced.Load() <= maxUnsynced &&
		time.Now().UnixNano() >= b.notUntil.Load()
}

func (b *batch) leave() { b.waiting.Add(-1) }

// syncAll is a round of d.batch.
func (d *Store) syncAll() error {
	if err := d.Err(); err != nil {
		return err
	}
	begun := time.Now()
	if err := d.fs.SyncAll(); err != nil {
		return d.fail(err)
	}
	if took := time.Since(begun); took > d.batch.patience {
		d.batch.notUntil.Store(begun.Add(11 * took).UnixNano())
	}
	return nil
}
