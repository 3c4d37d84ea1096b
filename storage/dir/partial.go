package dir

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"sync"
	"time"

	"github.com/labnet/labnet/storage"
)

// errClosed is what a file answers after Commit, Abort or Store.Close.
var errClosed = fmt.Errorf("the file or its store is closed: %w", fs.ErrClosed)

// A partial is a file in progress in a Store.
type partial struct {
	dir        *Store
	file       storage.File
	onConflict storage.Conflict
	path       string // its name while in progress
	place      place  // set by begin
	groupless  bool   // it could not be given its group
	hash       hash.Hash
	sum        []byte // by hash, of all contents: set by Commit

	mu       sync.Mutex    // against Store.Close
	f        file          // nil before create and once synced
	created  bool          // there was, or may be, something under path or f
	fresh    bool          // what is under path is not what an earlier upload left
	nameless bool          // there is nothing under path, and f stays open to the end
	ofMany   bool          // many were in progress when it began
	counted  bool          // in dir.nameless
	promised int64         // what is claimed for f and not in it yet
	reserved bool          // f may have blocks beyond its end
	offer    storage.Offer // of what was in f when it was opened
	size     int64         // in f by now
	begun    int64         // of these the kernel was told to write out so many
	unsynced int64         // what Store.batch counts of it
	compared int64         // bytes of files that have its name
	linkErr  error         // of an early try of link, which returns it once
	moved    bool          // path is no longer its name
	err      error         // why f holds less than it should
	ended    bool

	there      fs.FileInfo // of what had the name when it began; nil if nothing had
	original   *original   // instead of f, for as long as p may be the same
	comparison *comparison // instead of f
}

// To reserve the blocks of a file below small would add a quarter to the time that
// it takes to write it (measured on ext4).
const small = 64 << 10

// maxNameless is how many files in progress have no name: each needs its descriptor
// until it has one, also while it waits.
const maxNameless = 512

// A file of at least large takes longer to write to the disk than one more
// entry in the filesystem's journal does.
const large = 16 << 20

// writeOutStep is how many bytes the kernel is told to write out at a time while
// more come: otherwise most of a large file would wait for its fsync. Measured
// on ext4, that saves a quarter of the whole time and more. 64 MiB is as good,
// 8 MiB is not.
const writeOutStep = 32 << 20

// ReadFrom implements [Partial]. It keeps nothing back: what it counts has been
// handed to the kernel.
//
// To read, sum up and write in turn is as fast as anything else that was
// measured, and simpler: splice(2) saves one copy and loses more by the digest's
// reading the file again; to read and to write in two goroutines gains nothing,
// since the sender needs a processor, too.
func (p *partial) ReadFrom(r io.Reader) (n int64, err error) {
	buffer := takeBuffer()
	defer giveBuffer(buffer)
	return storage.Feed(buffer, func(b []byte) (int, error) {
		if p.hasGrown() { // the copy is begun when it is known that more comes
			return r.Read(b)
		}
		return fill(r, b)
	}, p.append)
}

// fill reads until b is full or r fails. Unlike io.ReadFull it leaves r's error
// as it is: io.ErrUnexpectedEOF is r's own.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = r.Read(b[n:])
		n += k
	}
	return n, err
}

func (p *partial) append(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return 0, errClosed
	}
	if err := p.dir.Err(); err != nil {
		return 0, err
	}
	if p.err != nil {
		return 0, p.err
	}
	if p.hasGrown() {
		if err := p.continueOriginal(); err != nil {
			return 0, err
		}
	}
	if p.file.Size >= 0 && int64(len(b)) > p.file.Size-p.size {
		p.err = storage.ErrTooLong
		return 0, p.err
	}
	if p.file.Size < 0 {
		if err := p.place.space.claim(int64(len(b)), false); err != nil {
			p.err = fmt.Errorf("write %q: %w", p.file.Name, p.explain(err))
			return 0, p.err
		}
	}
	if p.hash != nil {
		p.hash.Write(b)
	}
	if err := p.createLate(); err != nil {
		return 0, err
	}
	if p.comparison != nil {
		return p.appendCompared(b)
	}
	n, err := p.appendToFile(b)
	if err != nil {
		p.err = fmt.Errorf("write %q: %w", p.file.Name, p.explain(err))
	}
	return n, p.err
}

func (p *partial) appendToFile(b []byte) (int, error) {
	n, err := p.write(b)
	p.size += int64(n)
	p.unsynced += int64(n)
	p.dir.batch.unsynced.Add(int64(n))
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err == nil && p.size-p.begun >= writeOutStep {
		err = p.writeOut()
	}
	return n, err
}

// writeOut has the kernel begin to write what was appended since the last time.
// An error is one of the disk, after which fsync may know of none: as final
// as if fsync had reported it.
func (p *partial) writeOut() error {
	if err := p.f.WriteOut(p.begun, p.size-p.begun); err != nil {
		return p.dir.fail(err)
	}
	p.begun = p.size
	p.settle()
	return nil
}

// Commit implements [Partial].
func (p *partial) Commit(ctx context.Context, want storage.Sum) (storage.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return storage.Receipt{}, errClosed
	}
	// If the partial's name cannot be removed, the next Open will do it.
	defer p.end(false)
	if p.err != nil {
		return storage.Receipt{}, p.err
	}
	if p.hash != nil && !p.offer.Assumed {
		p.sum = p.hash.Sum(nil)
	}
	if err := (storage.Sum{Size: p.size, Digest: p.sum}).Compare(p.file, want); err != nil {
		return storage.Receipt{}, err
	}
	name, unchanged, err := p.keep(ctx)
	if err != nil {
		return storage.Receipt{}, fmt.Errorf("commit %q: %w", p.file.Name, p.explain(err))
	}
	return storage.Receipt{
		Name:      name,
		Path:      filepath.Join(p.dir.path, filepath.FromSlash(name)),
		Size:      p.size,
		Digest:    p.sum,
		Unchanged: unchanged,
		Assumed:   p.offer.Assumed,
	}, nil
}

// keep makes the contents durable and then publishes them.
func (p *partial) keep(ctx context.Context) (name string, unchanged bool, err error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	if p.original != nil {
		return p.original.name, true, p.keepOriginal()
	}
	if p.comparison != nil {
		return p.file.Name, true, p.keepCompared()
	}
	if err := p.createLate(); err != nil { // it is empty
		return "", false, err
	}
	if err := p.endHole(); err != nil {
		return "", false, err
	}
	if p.file.ID != "" && p.size >= large {
		// This takes long, and who dies meanwhile should leave a partial that
		// has still the age and permissions of one.
		if err := p.dir.sync(p.f); err != nil {
			return "", false, err
		}
	}
	if !p.file.ModTime.IsZero() {
		if err := p.setModTime(); err != nil {
			return "", false, err
		}
	}
	// Of the time that it has now, and while it can be written to.
	if err := p.note(); err != nil {
		return "", false, err
	}
	if err := p.setGroup(p.f); err != nil {
		return "", false, err
	}
	if err := p.setMode(); err != nil {
		return "", false, err
	}
	if named, err := p.dir.syncContents(ctx, p); named || err != nil {
		return p.file.Name, false, err
	}
	return p.publish(ctx)
}

// What follows from what a filesystem does not do.
const (
	noTimes = "times cannot be set here: files have the time when they came"
	noModes = "permissions cannot be set here: files are for the server's user only"
)

// mode is the permissions of the published file.
func (p *partial) mode() fs.FileMode {
	mode := p.file.Permissions() &^ p.dir.umask
	if p.dir.fileMode != 0 {
		mode = p.dir.fileMode
	}
	if p.groupless {
		mode &^= 0o070
	}
	return mode
}

// createMode is the permissions with which a nameless file is created that is to
// have others: it must be possible to write to it.
func createMode(mode fs.FileMode) fs.FileMode { return mode | 0o600 }

// setModTime gives the file its time or, where that cannot be, leaves that of its
// last write. A filesystem that knows no such time may take another one without
// a word: ext4, XFS and others know years up to 2038, 2446 or 2486.
func (p *partial) setModTime() error {
	set := func(t time.Time) error {
		if p.nameless {
			return p.f.SetModTime(t)
		}
		return p.dir.fs.Chtimes(p.path, t)
	}
	t := p.file.ModTime
	err := set(t)
	if s := t.Unix(); err == nil && (s < 0 || s > math.MaxInt32) {
		fi, serr := p.f.Stat()
		if serr != nil {
			return serr
		}
		if kept := fi.ModTime().Unix(); kept < s-2 || kept > s+2 {
			err = set(time.Now())
		}
	}
	return p.dir.tolerate(noTimes, err)
}

// setMode gives the file its permissions. It was made with fewer, so that where
// they cannot be set nobody may do more than is meant.
func (p *partial) setMode() error {
	mode := p.mode()
	if p.nameless && mode == createMode(mode) && mode&p.dir.umask == 0 && !p.groupless {
		return nil
	}
	return p.dir.tolerate(noModes, p.f.Chmod(mode))
}

// settle ends the count of the bytes that nobody has told the kernel to write out.
func (p *partial) settle() {
	p.dir.batch.unsynced.Add(-p.unsynced)
	p.unsynced = 0
}

// explain puts an error of the filesystem in terms of the contract. What made
// the store fail is no longer the fault of one file, nor is that the store is gone.
func (d *Store) explain(name string, err error) error {
	if errors.Is(err, storage.ErrFailed) {
		return err
	}
	if gone := d.look(); gone != nil {
		return gone
	}
	for _, refused := range refusedNames {
		if errors.Is(err, refused.err) {
			return &storage.NameError{Name: name, Reason: refused.reason}
		}
	}
	// Package os has no name for this error of an os.Root.
	if _, outside := d.os.root.Lstat(".."); errors.Is(err, errors.Unwrap(outside)) {
		return &storage.NameError{Name: name, Reason: "it leads out of the store by a symlink"}
	}
	for _, full := range noSpace {
		if errors.Is(err, full) {
			return fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
		}
	}
	return err
}
