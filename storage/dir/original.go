package dir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
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

// An original is a file that is there already, which one that is announced may be the
// same as, or begin with. Nothing is created before it turns out that the two differ.
type original struct {
	candidate      // before it was read
	f         file // nil if it was not read, or is small
	noted     bool // its digest is
}

// hasGrown reports whether p may be its original and more.
func (p *partial) hasGrown() bool {
	return p.original != nil && p.original.info.Size() < p.file.Size
}

func (o *original) close() {
	if o.f != nil {
		o.f.Close()
		o.f = nil
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
	case p.there == nil:
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
	if told := p.file.Contents; told.Digest.New != nil {
		return p.findTold(ctx, told)
	}
	if p.file.Size == 0 || len(p.file.Proofs) == 0 || p.file.Digest.New == nil {
		return nil
	}
	same, shorter, err := p.candidates()
	if err != nil {
		return err
	}
	for _, c := range []*candidate{same, shorter} {
		if c == nil || c == shorter && p.onlyLooks() {
			continue
		}
		o, offer, err := p.open(ctx, *c, p.file.Proofs[0])
		if err != nil {
			return err
		}
		if o != nil {
			p.offerOriginal(o, offer)
			return nil
		}
	}
	return nil
}

// findTold looks for a file that has the digest that the sender has told.
func (p *partial) findTold(ctx context.Context, proof storage.Proof) error {
	found := 0
	for c, err := range p.numberedCopies() {
		if err != nil {
			return err
		}
		if !c.info.Mode().IsRegular() || c.info.Size() != p.file.Size {
			continue
		}
		o, offer, err := p.open(ctx, c, proof.Digest)
		if err != nil {
			return err
		}
		if o != nil && bytes.Equal(offer.Proof, proof.Sum) {
			offer.Agreed = true
			p.offerOriginal(o, offer)
			// Thousands of them may wait for the disk. To open what nobody may read again
			// would change it.
			if p.size < small && o.info.Mode().Perm()&0o400 != 0 {
				o.noted = p.isNoted(o)
				o.close()
			}
			return nil
		}
		if o != nil {
			o.close()
			p.resetHash()
		}
		if found++; found == maxCompared {
			return nil
		}
	}
	return nil
}

// offerOriginal offers what there is of p already.
func (p *partial) offerOriginal(o *original, offer storage.Offer) {
	offer.Stored = true
	p.original, p.offer = o, offer
	if !p.hasGrown() {
		p.size = offer.Size
	}
}

// assume takes a file of the size and time of p for the same.
func (p *partial) assume() (bool, error) {
	if p.file.ModTime.IsZero() || p.file.Size < 0 {
		return false, nil
	}
	for c, err := range p.numberedCopies() {
		if err != nil {
			return false, err
		}
		if c.info.Mode().IsRegular() && c.info.Size() == p.file.Size && c.info.ModTime().Equal(p.file.ModTime) {
			p.offerOriginal(&original{candidate: c}, storage.Offer{Size: p.file.Size, Agreed: true, Assumed: true})
			return true, nil
		}
	}
	return false, nil
}

// numberedCopies yields what has the name of p and, if p could get one, numbered ones.
func (p *partial) numberedCopies() iter.Seq2[candidate, error] {
	return func(yield func(candidate, error) bool) {
		c, err := candidate{p.file.Name, p.there}, error(nil)
		for n := 2; yield(c, err) && err == nil && n <= maxOriginals && p.onConflict == storage.Rename; n++ {
			c.name = storage.NumberedName(p.file.Name, n)
			if c.info, err = p.dir.fs.Lstat(c.name); errors.Is(err, fs.ErrNotExist) {
				return
			}
		}
	}
}

func (p *partial) resetHash() {
	if p.hash != nil {
		p.hash.Reset()
	}
}

// A candidate is a file that may be the original of another one.
type candidate struct {
	name string
	info fs.FileInfo
}

// candidates returns a file of the size of p: one of the same time, or else the latest.
// Of shorter files, of which p may have grown, it returns the longest, and the latest of those.
func (p *partial) candidates() (same, shorter *candidate, err error) {
	for c, err := range p.numberedCopies() {
		if err != nil {
			return nil, nil, err
		}
		switch size := c.info.Size(); {
		case !c.info.Mode().IsRegular():
		case size == p.file.Size:
			same = &c
			if c.info.ModTime().Equal(p.file.ModTime) {
				return same, nil, nil
			}
		case size < p.file.Size && size >= small && (shorter == nil || size >= shorter.info.Size()):
			shorter = &c
		}
	}
	return same, shorter, nil
}

// open opens a file and sums it up. It returns nil if it has another size by now, or may
// not be read.
func (p *partial) open(ctx context.Context, c candidate, by storage.Digest) (*original, storage.Offer, error) {
	size := c.info.Size()
	if size >= large {
		if err := p.dir.comparing.Take(ctx, p.dir.closing); err != nil {
			return nil, storage.Offer{}, err
		}
		defer p.dir.comparing.Give()
	}
	f, info, err := p.dir.openSeen(c.name, syncAccess, c.info)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if f == nil || err != nil {
		return nil, storage.Offer{}, err
	}
	if info.Size() != size {
		f.Close()
		return nil, storage.Offer{}, nil
	}
	offer, err := p.prove(ctx, io.LimitReader(f, size), by) // if it has grown, that is seen later
	if err == nil && offer.Size == size {
		return &original{candidate: candidate{c.name, info}, f: f}, offer, nil
	}
	f.Close()
	p.resetHash()
	return nil, storage.Offer{}, err
}

// Offer implements [Partial].
func (p *partial) Offer() storage.Offer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offer
}

// leaveOriginal has p begin as a file of its own: it has other contents.
func (p *partial) leaveOriginal() error {
	claimed := p.hasGrown()
	p.original.close()
	p.original, p.offer, p.size = nil, storage.Offer{}, 0
	p.resetHash()
	if p.onlyLooks() {
		p.err = storage.ErrDifferent
		return p.err
	}
	var err error
	if !claimed {
		err = p.claim()
	}
	if err == nil && !p.isCreatedLate() {
		err = p.createNow()
	}
	if err != nil {
		err = fmt.Errorf("restart %q: %w", p.file.Name, p.explain(err))
		if !errors.Is(err, storage.ErrNoSpace) || !p.compare(err) {
			p.err = err
		}
	}
	return p.err
}

// continueOriginal has p begin as a file of its own with what is in its original, which
// the sender has too: more is coming.
func (p *partial) continueOriginal() error {
	o := p.original
	p.original = nil
	defer o.close()
	err := p.create()
	if err == nil {
		err = p.copyFrom(o)
	}
	if err != nil {
		p.err = fmt.Errorf("continue %q: %w", o.name, p.explain(err))
	}
	return p.err
}

// copyFrom copies what was read of an original, unless it has changed since. Where
// the filesystem can, the two share their blocks.
func (p *partial) copyFrom(o *original) error {
	size := o.info.Size()
	err := p.f.CloneFrom(o.f)
	cloned := err == nil
	if cloned {
		p.size = size
		p.claimed(size)
		_, err = p.f.Seek(size, io.SeekStart)
	} else if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	if err == nil {
		err = p.reserve()
	}
	if err == nil && !cloned {
		err = p.copyBytes(io.NewSectionReader(o.f, 0, size))
	}
	if err != nil {
		return err
	}
	now, err := o.f.Stat()
	if err == nil && !isAsBefore(o.info, now) {
		err = errOtherNow
	}
	return err
}

func (p *partial) copyBytes(r io.Reader) error {
	buffer := takeBuffer()
	defer giveBuffer(buffer)
	for {
		if p.dir.isClosed() {
			return errClosed
		}
		n, rerr := fill(r, buffer)
		if n > 0 {
			if _, err := p.appendToFile(buffer[:n]); err != nil {
				return err
			}
		}
		if rerr == io.EOF {
			return nil
		}
		if rerr != nil {
			return rerr
		}
	}
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
	together := d.batch.enter(p.ofMany) && p.size < large && !p.place.elsewhere
	defer d.batch.leave()
	if o.f == nil && (!together || p.changes(o)) {
		if o.f, now, err = d.openRegular(o.name, syncAccess); err != nil {
			return err
		}
		if o.f == nil || !isAsBefore(o.info, now) {
			return errOtherNow
		}
	}
	if p.changes(o) {
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

// changes reports whether an original gets another time, permissions or note.
func (p *partial) changes(o *original) bool {
	switch t := p.file.ModTime; {
	case p.file.Check:
		return false
	case p.sum != nil && !o.noted, p.file.HasMode && o.info.Mode().Perm() != p.mode():
		return true
	default:
		return !t.IsZero() && !t.Equal(o.info.ModTime())
	}
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
