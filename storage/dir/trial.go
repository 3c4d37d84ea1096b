package dir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/labnet/labnet/storage"
)

const (
	// trialWait is how long Try waits for an answer. Who asks has a second.
	trialWait = 500 * time.Millisecond
	// freshTrial is how long it counts that all was well, so that a ping every
	// second need not wait for the disk.
	freshTrial = 3 * time.Second
	// slowTrial is how long a trial may take to make something durable: on a disk
	// that others keep busy, seconds.
	slowTrial = 10 * time.Second
	// trialName is what a trial writes in the hidden folder.
	trialName = "try"
)

// errStill means that calls of the system do not return.
var errStill = fmt.Errorf("%w: its filesystem stands still", storage.ErrDegraded)

// A trial does in small what an upload needs.
type trial struct {
	mu      sync.Mutex
	closed  bool          // none begins any more
	done    chan struct{} // closed when the one that runs ends; nil if none does
	begun   time.Time
	written bool // it has only to become durable
	ended   time.Time
	err     error // of the last one that ended
}

// Try implements [Store]. It makes a file durable in the hidden folder.
func (d *Store) Try() error {
	if err := d.failed(); err != nil {
		return err
	}
	t := &d.trial
	moved := d.fs.moved.Load()
	done, fresh := d.beginTrial()
	if fresh {
		return nil
	}
	if done != nil {
		timer := time.NewTimer(trialWait)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if done == nil || t.done != done {
		return t.err
	}
	slow := t.written || d.fs.moved.Load() != moved
	if slow && time.Since(t.begun) < slowTrial {
		return t.err
	}
	return errStill
}

// beginTrial begins one unless one runs or has ended within the last second. It
// returns what is closed at its end, nil if none runs; and whether the last one has
// just shown that all is well.
func (d *Store) beginTrial() (done chan struct{}, fresh bool) {
	t := &d.trial
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done == nil && time.Since(t.ended) >= lookAgain && !t.closed {
		done := make(chan struct{})
		t.done, t.begun, t.written = done, time.Now(), false
		d.expirer.Go(func() {
			err := d.tryWriting()
			t.mu.Lock()
			defer t.mu.Unlock()
			t.done, t.ended, t.err = nil, time.Now(), err
			close(done)
		})
	}
	return t.done, t.err == nil && time.Since(t.ended) < freshTrial
}

// endTrials lets no more begin. Store.expirer waits for the last.
func (d *Store) endTrials() {
	d.trial.mu.Lock()
	defer d.trial.mu.Unlock()
	d.trial.closed = true
}

func (d *Store) tryWriting() error {
	err := cmp.Or(isAt(d.path, d.presence.root), isAt(filepath.Join(d.path, hidden, lockName), d.presence.lock))
	if err == nil {
		err = d.fs.Try(func() {
			d.trial.mu.Lock()
			defer d.trial.mu.Unlock()
			d.trial.written = true
		})
	}
	for _, full := range noSpace {
		if errors.Is(err, full) {
			return fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
		}
	}
	switch {
	case err == nil, errors.Is(err, storage.ErrDegraded), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return err
	}
	return fmt.Errorf("%w: %w", storage.ErrDegraded, err)
}

func (f *osFilesystem) Try(written func()) error {
	file, err := f.hidden.OpenFile(trialName, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString("labnet tries whether files can be stored here.\n")
	if err == nil {
		written()
		err = file.Sync()
	}
	return cmp.Or(err, file.Close(), f.hidden.Remove(trialName))
}
