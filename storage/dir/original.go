package dir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/labnet/labnet/storage"
)

const (
	// maxOriginals is how many numbered copies are looked at for one upload.
	maxOriginals = 100
	// maxComparing is how many files of at least large are read at the same time to
	// be compared: a disk that has to seek between more gets nowhere.
	maxComparing = 2
)

// An original is a file that is there already, of the same size as one that is
// announced. Nothing is created, and no space claimed, before it turns out that the
// two differ.
type original struct {
	name string
	f    file        // nil if it was not read
	info fs.FileInfo // before it was read
}

func (o *original) close() {
	if o.f != nil {
		o.f.Close()
	}
}

// onlyLooks reports whether nothing new is to be stored.
func (p *partial) onlyLooks() bool { return p.file.Existing || p.file.Check }

// look is begin for a file that is only looked for.
func (p *partial) look(ctx context.Context) error {
	p.fresh = true
	err := p.dir.checkCollision(p)
	var name *storage.NameError
	switch {
	case errors.As(err, &name):
		return fmt.Errorf("%w: %s", storage.ErrDifferent, name.Reason)
	case errors.Is(err, storage.ErrExists):
		return storage.ErrDifferent
	case err != nil:
		return err
	case !p.taken:
		return storage.ErrAbsent
	}
	p.place = p.dir.placeOf(p.file.Name)
	if err := p.findOriginal(ctx); err != nil || p.original != nil {
		return err
	}
	return storage.ErrDifferent
}

// findOriginal looks for a file of which p can be an unchanged copy. If the sender
// has told the digest of the contents, it has that digest; otherwise the sender is
// asked to compare.
func (p *partial) findOriginal(ctx context.Context) error {
	if p.file.Quick {
		if assumed, err := p.assume(); assumed || err != nil {
			return err
		}
	}
	proof := p.file.Contents
	told := proof.Digest.New != nil
	if !told {
		if p.file.Size == 0 || len(p.file.Proofs) == 0 || p.file.Digest.New == nil {
			return nil
		}
		proof.Digest = p.file.Proofs[0]
	}
	names, err := p.candidates(told)
	if err != nil {
		return err
	}
	for _, name := range names {
		o, offer, err := p.open(ctx, name, proof.Digest)
		if err != nil {
			return err
		}
		if o == nil {
			continue
		}
		if !told || bytes.Equal(offer.Proof, proof.Sum) {
			offer.Stored, offer.Agreed = true, told
			p.original, p.offer, p.size = o, offer, offer.Size
			return nil
		}
		o.f.Close()
		p.resetHash()
	}
	return nil
}

// assume takes a file of the size and time of p for the same.
func (p *partial) assume() (bool, error) {
	if p.file.ModTime.IsZero() || p.file.Size < 0 {
		return false, nil
	}
	for n := 1; n <= maxOriginals; n++ {
		name := storage.NumberedName(p.file.Name, n)
		fi, err := p.dir.fs.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return false, err
		}
		if fi.Mode().IsRegular() && fi.Size() == p.file.Size && fi.ModTime().Equal(p.file.ModTime) {
			p.original, p.size = &original{name: name, info: fi}, p.file.Size
			p.offer = storage.Offer{Size: p.size, Stored: true, Agreed: true, Assumed: true}
			return true, nil
		}
		if p.onConflict != storage.Rename {
			break
		}
	}
	return false, nil
}

func (p *partial) resetHash() {
	if p.hash != nil {
		p.hash.Reset()
	}
}

// candidates are the names of files of the size of p: that of p, and numbered ones
// if it could get such a one. Only one of them can be offered: one of the same time,
// or else the latest.
func (p *partial) candidates(all bool) (names []string, err error) {
	for n := 1; n <= maxOriginals; n++ {
		name := storage.NumberedName(p.file.Name, n)
		fi, err := p.dir.fs.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		if fi.Mode().IsRegular() && fi.Size() == p.file.Size {
			names = append(names, name)
			if !all && fi.ModTime().Equal(p.file.ModTime) {
				return []string{name}, nil
			}
		}
		if p.onConflict != storage.Rename || all && len(names) == maxCompared {
			break
		}
	}
	if !all && len(names) > 1 {
		names = names[len(names)-1:]
	}
	return names, nil
}

// open opens a file and sums it up. It returns nil if it has not the size of p any
// more, or may not be read.
func (p *partial) open(ctx context.Context, name string, by storage.Digest) (*original, storage.Offer, error) {
	if p.file.Size >= large {
		select {
		case p.dir.comparing <- struct{}{}:
			defer func() { <-p.dir.comparing }()
		case <-ctx.Done():
			return nil, storage.Offer{}, ctx.Err()
		case <-p.dir.closing:
			return nil, storage.Offer{}, errClosed
		}
	}
	f, info, err := p.dir.openRegular(name, syncAccess)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if f == nil || err != nil {
		return nil, storage.Offer{}, err
	}
	if info.Size() != p.file.Size {
		f.Close()
		return nil, storage.Offer{}, nil
	}
	offer, err := p.prove(ctx, f, by)
	if err == nil && offer.Size == p.file.Size {
		return &original{name, f, info}, offer, nil
	}
	f.Close()
	p.resetHash()
	return nil, storage.Offer{}, err
}

// leaveOriginal has p begin as a file of its own: it has other contents.
func (p *partial) leaveOriginal() error {
	p.original.close()
	p.original, p.offer, p.size = nil, storage.Offer{}, 0
	p.resetHash()
	if p.onlyLooks() {
		p.err = storage.ErrDifferent
		return p.err
	}
	err := p.claim()
	if err == nil {
		err = p.create()
	}
	if err == nil {
		err = p.reserve()
	}
	if err != nil {
		err = fmt.Errorf("restart %q: %w", p.file.Name, p.explain(err))
		if !errors.Is(err, storage.ErrNoSpace) || !p.compare(err) {
			p.err = err
		}
	}
	return p.err
}

var errOtherNow = fmt.Errorf("%w: the file at the server has changed since it was compared", storage.ErrMismatch)

// keepOriginal makes durable what p turned out to be the same as, if it is still what
// was read.
func (p *partial) keepOriginal() error {
	d, o := p.dir, p.original
	d.publishing.Lock(o.name)
	defer d.publishing.Unlock(o.name)
	if err := d.atPath(); err != nil {
		return err
	}
	now, err := d.fs.Lstat(o.name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !isAsBefore(o.info, now) {
		return errOtherNow
	}
	if err != nil {
		return err
	}
	together := d.batch.enter(p.nameless) && p.size < large && !p.place.elsewhere
	defer d.batch.leave()
	if o.f == nil && (!together || p.file.HasMode && !p.file.Check && now.Mode().Perm() != p.mode()) {
		if o.f, now, err = d.openRegular(o.name, syncAccess); err != nil {
			return err
		}
		if o.f == nil || !isAsBefore(o.info, now) {
			return errOtherNow
		}
	}
	if !p.file.Check {
		if err := p.refresh(o.f, o.name, o.info); err != nil {
			return err
		}
	}
	if !together {
		if err := d.sync(o.f); err != nil {
			return err
		}
		return d.syncOldName(o.name)
	}
	folders := d.folders.unknown(o.name)
	if err := d.batch.rounds.join(nil); err != nil {
		return err
	}
	markDurable(folders)
	return nil
}

// isAsBefore reports whether nothing was done to a file between two looks at it.
func isAsBefore(before, now fs.FileInfo) bool {
	return os.SameFile(before, now) && before.Size() == now.Size() && before.ModTime().Equal(now.ModTime()) &&
		changeTime(before) == changeTime(now)
}

// refresh gives a file of the same contents as p the time and permissions of p.
func (p *partial) refresh(f file, name string, info fs.FileInfo) error {
	modes := p.file.HasMode && info.Mode().Perm() != p.mode()
	if modes {
		if err := p.setGroup(f); err != nil {
			return err
		}
		if err := p.dir.tolerate(noModes, f.Chmod(p.mode())); err != nil {
			return err
		}
	}
	t := p.file.ModTime
	times := !t.IsZero() && !t.Equal(info.ModTime())
	if times {
		err := f.SetModTime(t)
		if errors.Is(err, errors.ErrUnsupported) {
			err = p.dir.fs.Chtimes(name, t)
		}
		if err := p.dir.tolerate(noTimes, err); err != nil {
			return err
		}
	}
	if modes || times {
		var err error
		if info, err = f.Stat(); err != nil {
			return err
		}
	}
	return p.noteOriginal(f, info)
}
