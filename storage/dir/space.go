package dir

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/labnet/labnet/storage"
)

// DefaultKeepFree leaves logs and other services enough to continue with, and the
// filesystem what it needs for itself.
const DefaultKeepFree = 64 << 20

const (
	// lookAgain is how long what was free is taken to be free still, except for
	// what the store has used since: to look costs a system call.
	lookAgain = time.Second
	// besides is what a file takes besides its contents: the rest of a block,
	// and its name.
	besides = 4 << 10
)

// keptFiles is how many files and folders can still be made on the disk, or a
// keptFilesShare of all that it can have, when no more are received: others need
// some, too.
const (
	keptFiles      = 1000
	keptFilesShare = 64
)

// A space sees to it that some of the disk stays free.
type space struct {
	free func() (freeSpace, error)

	mu       sync.Mutex
	keep     int64     // so many bytes; nothing if it is not positive
	left     int64     // to be claimed until it looks again
	files    int64     // likewise
	looked   time.Time // zero: never
	promised int64     // claimed, but not yet taken in the filesystem's eyes
}

// Room returns what is free on the disk of the store's own folder, with what is kept free.
// It fails with errors.ErrUnsupported where nobody can tell. If Try says that the
// filesystem stands still, it does not return.
func (d *Store) Room() (storage.Room, error) {
	free, err := d.fs.Free(".")
	if err != nil {
		return storage.Room{}, err
	}
	room := storage.Room{Bytes: free.bytes, AllBytes: free.allBytes, Files: free.files, AllFiles: free.all, Kept: max(0, d.keepFree)}
	if free.all == 0 {
		room.Files = 0
	}
	return room, nil
}

// claim takes n bytes or fails with ErrNoSpace. If they are only promised, that
// must be taken back once they are taken in fact, or not needed.
func (s *space) claim(n int64, promised bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	makes := promised || n == 0 // a file or folder
	if s.keep > 0 && (n > s.left || makes && s.files <= 0 || time.Since(s.looked) >= lookAgain) {
		if err := s.look(); err != nil {
			return err
		}
		if s.keep > 0 && n > s.left {
			short := &storage.SpaceError{Needed: n, Free: max(0, s.left), Err: fmt.Errorf("%w: %d bytes are promised to others, and %d are kept free", storage.ErrNoSpace, s.promised, s.keep)}
			if !promised {
				short.Needed = -1
			}
			return short
		}
		if s.keep > 0 && makes && s.files <= 0 {
			return storage.ErrNoFiles
		}
	}
	s.left -= n + besides
	if makes {
		s.files--
	}
	if promised {
		s.promised += n
	}
	return nil
}

// look sees what is left. It needs mu.
func (s *space) look() error {
	free, err := s.free()
	if errors.Is(err, errors.ErrUnsupported) {
		s.keep = 0
		return nil
	}
	if err != nil {
		return err
	}
	s.left, s.looked = free.bytes-s.keep-s.promised, time.Now()
	s.files = free.files - min(keptFiles, free.all/keptFilesShare)
	return nil
}

// explain is Store.explain for p. A full disk does not say itself how full it is.
func (p *partial) explain(err error) error {
	err = p.dir.explain(p.file.Name, err)
	if !errors.Is(err, storage.ErrNoSpace) || errors.Is(err, storage.ErrNoFiles) || p.place.space == nil {
		return err
	}
	var short *storage.SpaceError
	if !errors.As(err, &short) {
		free, ferr := p.place.space.free()
		short = &storage.SpaceError{Needed: p.rest(), Free: free.bytes, Err: err}
		if p.file.Size < 0 {
			short.Needed = -1
		}
		if ferr != nil || short.Needed >= 0 && short.Needed <= free.bytes {
			return err // it is full in another way, such as by its inodes
		}
		err = short
	}
	if short.Needed < 0 {
		short.Free += p.size // which is free once it has failed
	}
	return err
}

// promise promises n bytes without looking whether there are as many.
func (s *space) promise(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promised += n
}

// claim takes the room for the rest of p, or sees whether there is any for a file
// of unknown size.
func (p *partial) claim() error {
	rest := p.rest()
	err := p.place.space.claim(rest, true)
	if err == nil {
		p.promised = rest
	}
	return err
}

// claimed ends the promise of up to n bytes: they are taken, or not needed.
func (p *partial) claimed(n int64) {
	if n = min(n, p.promised); n > 0 {
		p.place.space.promise(-n)
		p.promised -= n
	}
}

// unclaimed promises n bytes more, which were just taken and are free again.
func (p *partial) unclaimed(n int64) {
	p.place.space.promise(n)
	p.promised += n
}
