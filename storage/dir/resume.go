package dir

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/labnet/labnet/storage"
)

// resumableSuffix ends the names of partials that Open leaves.
const resumableSuffix = ".resumable"

// partialPath is the name of a file in progress.
func partialPath(f storage.File) string {
	if f.ID == "" {
		return path.Join(hidden, rand.Text()+".partial")
	}
	return path.Join(hidden, f.UploadName()+resumableSuffix)
}

// isResumable reports whether partialPath made up the name base for an ID.
func isResumable(base string) bool {
	name, ok := strings.CutSuffix(base, resumableSuffix)
	sum := strings.TrimPrefix(name, storage.OwnerOf(name)+"-")
	b, err := hex.DecodeString(sum)
	return ok && err == nil && len(b) == sha256.Size
}

// resumable reports whether a later upload could continue with p.
func (p *partial) resumable() bool {
	return p.file.ID != "" && p.file.Size >= 0 && p.hash != nil && len(p.file.Proofs) > 0
}

// begin opens what an earlier upload of the same ID left, or a new file.
func (p *partial) begin(ctx context.Context) error {
	if p.onlyLooks() {
		return p.look(ctx)
	}
	if err := p.dir.checkCollision(p); err != nil {
		return err
	}
	p.place = p.dir.placeOf(p.file.Name)
	if p.file.ID != "" && !p.place.elsewhere {
		if err := p.resume(ctx); err != nil {
			return err
		}
	}
	p.fresh = p.f == nil
	if p.there != nil && p.f == nil {
		if err := p.findOriginal(ctx); err != nil || p.original != nil && !p.hasGrown() {
			return err
		}
	}
	if err := p.claim(); err != nil || p.hasGrown() || p.isCreatedLate() {
		return err
	}
	return p.createNow()
}

// createNow creates p, unless it is there, and takes the room that it needs.
func (p *partial) createNow() error {
	if p.f == nil {
		if err := p.create(); err != nil {
			return err
		}
	}
	return p.reserve()
}

// isCreatedLate reports whether p is created only when its contents come: of small files
// thousands may be announced, and none needs a descriptor or blocks before.
func (p *partial) isCreatedLate() bool {
	return p.file.ID == "" && p.file.Size >= 0 && p.file.Size < small
}

// createLate creates p if that was left for later. If there is no space for it, it may
// still turn out to be unchanged.
func (p *partial) createLate() error {
	if p.created || p.comparison != nil {
		return nil
	}
	err := p.create()
	if err != nil {
		err = fmt.Errorf("create %q: %w", p.file.Name, p.explain(err))
		if errors.Is(err, storage.ErrNoSpace) && p.compare(err) {
			return nil
		}
	}
	p.err = err
	return err
}

// resume opens and sums up what an earlier upload of the same ID left. It
// removes what p cannot continue with, but not because of a passing failure.
func (p *partial) resume(ctx context.Context) error {
	f, fi, err := p.dir.openLeft(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if f != nil && p.resumable() && fi.Size() <= p.file.Size {
		offer, err := p.proveInTurn(ctx, f, fi.Size(), p.file.Proofs[0])
		if err == nil {
			p.f, p.created, p.size, p.begun, p.offer = f, true, offer.Size, offer.Size, offer
			return nil
		}
		if !errors.Is(err, errUnreadable) {
			f.Close()
			return err
		}
		p.hash = p.file.Digest.New()
	}
	if f != nil {
		f.Close()
	}
	if err := p.dir.fs.Remove(p.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// errUnreadable means that the disk does not give back what was left.
var errUnreadable = errors.New("cannot be read")

// proveInTurn is prove that waits, if it has much to read.
func (p *partial) proveInTurn(ctx context.Context, r io.Reader, size int64, by storage.Digest) (storage.Offer, error) {
	if size >= large {
		if err := p.dir.comparing.Take(ctx, p.dir.closing); err != nil {
			return storage.Offer{}, err
		}
		defer p.dir.comparing.Give()
	}
	return p.prove(ctx, r, by)
}

// prove adds all of r to the hash, and returns its length and the proof of it.
func (p *partial) prove(ctx context.Context, r io.Reader, by storage.Digest) (offer storage.Offer, err error) {
	proof := p.hash
	if by.Name != p.file.Digest.Name {
		proof = takeHash(by)
		defer giveHash(by, proof)
	}
	buffer := takeBuffer()
	defer giveBuffer(buffer)
	for {
		if err := ctx.Err(); err != nil {
			return storage.Offer{}, err
		}
		if p.dir.isClosed() {
			return storage.Offer{}, errClosed
		}
		n, err := fill(r, buffer)
		if p.hash != nil {
			p.hash.Write(buffer[:n])
		}
		if by.Name != p.file.Digest.Name {
			proof.Write(buffer[:n])
		}
		offer.Size += int64(n)
		if err == io.EOF {
			offer.Digest, offer.Proof = by.Name, proof.Sum(nil)
			return offer, nil
		}
		if err != nil {
			return storage.Offer{}, fmt.Errorf("%w: %w", errUnreadable, err)
		}
	}
}

// openLeft opens a partial that was left. It returns nil without an error for
// what must not be gone on with: what can't be read and written as a file, and
// a file that has another name, because then it was published and the server
// died before it could take the partial's name away.
func (d *Store) openLeft(name string) (file, fs.FileInfo, error) {
	f, fi, err := d.openRegular(name, os.O_RDWR)
	if f != nil {
		var n uint64
		if n, err = f.Links(); err != nil || n != 1 {
			f.Close()
			f = nil
		}
	}
	var folder *storage.NameError
	if errors.As(err, &folder) || errors.Is(err, syscall.EIO) {
		err = nil
	}
	return f, fi, err
}

func (p *partial) create() error {
	p.fresh, p.created = true, true
	if p.place.elsewhere {
		return p.createElsewhere()
	}
	if p.ofMany && p.mayBeNameless() {
		f, err := p.dir.fs.CreateNameless(hidden, createMode(p.mode()))
		if !errors.Is(err, errors.ErrUnsupported) {
			p.f, p.nameless = f, true
			return err
		}
	}
	f, err := p.dir.fs.OpenFile(p.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	p.f = f
	return nil
}

// mayBeNameless reports whether p is one of the maxNameless, until it ends.
func (p *partial) mayBeNameless() bool {
	if !p.counted {
		p.counted = p.dir.nameless.Add(1) <= maxNameless
		if !p.counted {
			p.dir.nameless.Add(-1)
		}
	}
	return p.counted
}

// reserve takes the blocks that the rest of p will need, if it is worth while.
func (p *partial) reserve() error {
	if p.file.Size < small || p.file.Size == p.size || p.file.Holes > 0 {
		return nil
	}
	err := p.f.Allocate(p.file.Size)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	p.reserved = true
	p.claimed(p.promised)
	return err
}

// Restart implements [Partial]. It makes a new file, which has nothing of the
// old one.
func (p *partial) Restart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return errClosed
	}
	if p.err != nil {
		return p.err
	}
	if p.original != nil {
		return p.leaveOriginal()
	}
	if c := p.comparison; c != nil {
		c.differs, p.size = false, 0
		if p.hash != nil {
			p.hash.Reset()
		}
		return nil
	}
	if !p.created {
		return nil
	}
	p.f.Close() // nobody wants its bytes any more
	p.f = nil
	p.settle()
	p.size, p.begun, p.offer = 0, 0, storage.Offer{}
	p.unclaimed(max(0, p.rest()-p.promised))
	if p.hash != nil {
		p.hash = p.file.Digest.New()
	}
	err := p.dir.fs.Remove(p.path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = p.create()
	}
	if err == nil {
		err = p.reserve()
	}
	if err != nil {
		p.err = fmt.Errorf("restart %q: %w", p.file.Name, p.explain(err))
	}
	return p.err
}

// Suspend implements [Partial]. A partial of more than Bounds.Bytes is not
// kept.
func (p *partial) Suspend() error {
	return storage.EndOnce(&p.mu, &p.ended, func() error {
		return p.end(p.resumable() && !p.place.elsewhere && p.comparison == nil && p.original == nil && p.err == nil && p.size > 0 && p.size <= p.dir.bounds.Bytes)
	})
}

// Abort implements [Partial]. Its error means that the space is taken until
// the store is opened again or, if the file has an ID, the partial expires.
func (p *partial) Abort() error {
	return storage.EndOnce(&p.mu, &p.ended, func() error { return p.end(false) })
}

// end forgets p and what it holds, except for its bytes if they are to be kept.
// If they cannot be, they go.
func (p *partial) end(keep bool) error {
	p.ended = true
	var err error
	if p.f != nil {
		if keep && p.reserved {
			err = p.f.Truncate(p.size) // frees what is reserved
		} else if keep {
			err = p.endHole()
		}
		if cerr := p.f.Close(); keep { // else nobody wants its bytes any more
			err = cmp.Or(err, cerr)
		}
		p.f = nil
	}
	if p.comparison != nil {
		p.comparison.with.Close()
	}
	if p.original != nil {
		p.original.close()
	}
	p.settle()
	p.claimed(p.promised)
	kept := keep && err == nil
	if p.counted {
		p.dir.nameless.Add(-1)
	}
	if p.created && !kept && !p.moved && !p.nameless {
		if rerr := p.dir.fs.Remove(p.path); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	p.dir.forget(p, kept, time.Now())
	return err
}
