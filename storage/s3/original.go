package s3

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/labnet/labnet/storage"
)

// An original is an object that is there already, which a file that is announced may be
// the same as, or begin with. Nothing is stored before it turns out that the two differ.
type original struct {
	name      string
	object    object
	digest    []byte     // by File.Digest, if it is as long as the file
	beginning *beginning // if it is shorter; nil until it was read
}

// errOtherNow means that it is no longer what was offered.
var errOtherNow = fmt.Errorf("%w: the file in the object store has changed since it was compared", storage.ErrMismatch)

// onlyLooks reports whether nothing new is to be stored.
func (p *partial) onlyLooks() bool { return p.file.Existing || p.file.Check }

// look fails if p cannot get its name, and looks for an original meanwhile.
func (p *partial) look(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return p.store.checkFile(ctx, p.file.Name) })
	all.Go(func() error { return p.findOriginal(ctx) })
	return all.Wait()
}

// onlyLook is look for a file that is not to be stored.
func (p *partial) onlyLook(ctx context.Context) error {
	err := p.store.checkFile(ctx, p.file.Name)
	var name *storage.NameError
	if errors.As(err, &name) {
		return fmt.Errorf("%w: %s", storage.ErrDifferent, name.Reason)
	}
	if err != nil {
		return err
	}
	return p.findOriginal(ctx)
}

// findOriginal looks for an object of which p can be an unchanged copy, or which it goes
// on with. If the sender
// has told the digest of the contents, it has that digest; otherwise the sender is
// asked to compare.
func (p *partial) findOriginal(ctx context.Context) error {
	if !p.mayCompare() && !p.onlyLooks() {
		return nil
	}
	first, exists, err := p.store.client.stat(ctx, p.store.root+p.file.Name)
	switch {
	case err != nil:
		return err
	case !exists && p.onlyLooks():
		return storage.ErrAbsent
	case !exists:
		return nil
	}
	first.key = p.store.root + p.file.Name
	objects := []object{first}
	if p.mayCompare() && p.onConflict == storage.Rename {
		if objects, err = p.copiesOf(ctx, first); err != nil {
			return err
		}
	}
	shorter := p.longest(objects)
	if !p.file.Quick && !p.isTold() {
		slices.Reverse(objects) // the sender can be asked about one only: the latest
	}
	for _, o := range objects {
		if o.size != p.file.Size {
			continue
		}
		original, offer, err := p.offerOf(ctx, o)
		if err != nil {
			return err
		}
		if original != nil {
			p.original, p.offer, p.size = original, offer, offer.Size
			return nil
		}
	}
	if p.onlyLooks() {
		return storage.ErrDifferent
	}
	if shorter.size > 0 {
		original, offer, err := p.offerBeginning(ctx, shorter)
		if err != nil {
			return err
		}
		if original != nil {
			p.original, p.offer, p.size = original, offer, offer.Size
		}
	}
	return nil
}

// mayCompare reports whether p may turn out to be an object that is there.
func (p *partial) mayCompare() bool {
	return p.file.Size >= 0 && (p.file.Quick || p.isTold() || p.file.Size > 0 && p.file.Digest.New != nil && len(p.file.Proofs) > 0)
}

// isTold reports whether the sender has told the digest of the contents.
func (p *partial) isTold() bool { return p.file.Contents.Digest.New != nil }

// maxOriginals is how many numbered copies are looked at for one upload.
const maxOriginals = 100

// copiesOf lists the object of p's name and numbered ones that p may be, or begin with. If the
// first has the time of p, it lists no other.
func (p *partial) copiesOf(ctx context.Context, first object) (list []object, err error) {
	if first.size == p.file.Size && p.hasTime(first) && (p.file.Quick || !p.isTold()) {
		return []object{first}, nil
	}
	copies, err := p.store.copies(ctx, p.file.Name)
	if err != nil {
		return nil, err
	}
	delete(copies, 1)
	list = append(list, first)
	for _, n := range numbers(copies) {
		if o := copies[n]; (o.size == p.file.Size || p.mayHaveGrown(o)) && len(list) < maxOriginals {
			list = append(list, o)
		}
	}
	return list, nil
}

// hasTime reports whether an object is said to have the modification time of p.
func (p *partial) hasTime(o object) bool {
	return !p.file.ModTime.IsZero() && o.mtime == formatTime(p.file.ModTime)
}

// offerOf makes an original of an object and reads it if it must. It returns none if the
// object is not what the sender has told, or has changed meanwhile.
func (p *partial) offerOf(ctx context.Context, o object) (*original, storage.Offer, error) {
	name := o.key[len(p.store.root):]
	offer := storage.Offer{Size: o.size, Stored: true}
	if p.file.Quick {
		if o.mtime == "" { // lists do not tell it
			now, exists, err := p.store.client.stat(ctx, o.key)
			if !exists || err != nil {
				return nil, storage.Offer{}, err
			}
			now.key, o = o.key, now
		}
		if p.hasTime(o) {
			offer.Agreed, offer.Assumed = true, true
			return &original{name: name, object: o}, offer, nil
		}
	}
	if !p.mayCompare() || !p.isTold() && (p.file.Size == 0 || len(p.file.Proofs) == 0) {
		return nil, storage.Offer{}, nil
	}
	by := p.file.Contents.Digest
	if !p.isTold() {
		by = p.file.Proofs[0]
		if i := slices.IndexFunc(p.file.Proofs, isProof); i >= 0 {
			by = p.file.Proofs[i] // it may be noted
		}
	}
	proof, digest, err := p.digestsOf(ctx, &o, by)
	if proof == nil || err != nil || p.isTold() && !bytes.Equal(proof, p.file.Contents.Sum) {
		return nil, storage.Offer{}, err
	}
	offer.Digest, offer.Proof, offer.Agreed = by.Name, proof, p.isTold()
	return &original{name: name, object: o, digest: digest}, offer, nil
}

// digestsOf returns two digests of an object: by one for a proof, and by that of p. It
// reads the object unless both are known. It returns none if the object has changed.
func (p *partial) digestsOf(ctx context.Context, o *object, by storage.Digest) (proof, own []byte, err error) {
	if isProof(by) && o.size > p.store.o.PartSize {
		if o.sum == "" { // lists do not tell it
			now, exists, err := p.store.client.stat(ctx, o.key)
			if !exists || err != nil || now.etag != o.etag {
				return nil, nil, err
			}
			o.sum = now.sum
		}
		noted, err := p.store.readDigest(ctx, *o)
		if err != nil {
			return nil, nil, err
		}
		proof, err = hex.DecodeString(noted)
		if sum, serr := parseChecksum(o.sum, o.size); err == nil && noted != "" {
			switch p.file.Digest.Name {
			case by.Name:
				return proof, proof, nil
			case crcName:
				if serr == nil {
					return proof, sum.bytes(), nil
				}
			}
		}
	}
	proving, digest := by.New(), hash.Hash(nil)
	both := io.Writer(proving)
	if p.file.Digest.New != nil && p.file.Digest.Name != by.Name {
		digest = p.file.Digest.New()
		both = io.MultiWriter(proving, digest)
	}
	if same, err := p.store.read(ctx, *o, both); !same || err != nil {
		return nil, nil, err
	}
	proof = proving.Sum(nil)
	if isProof(by) && o.size > p.store.o.PartSize {
		p.store.writeDigest(ctx, o.key, o.etag, proof)
	}
	switch {
	case digest != nil:
		own = digest.Sum(nil)
	case p.file.Digest.New != nil:
		own = proof
	}
	return proof, own, nil
}

// Offer implements [storage.Partial].
func (p *partial) Offer() storage.Offer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offer
}

// leaveOriginal has p begin as a file of its own: it has other contents.
func (p *partial) leaveOriginal(ctx context.Context) error {
	if p.onlyLooks() {
		p.err = storage.ErrDifferent
		return p.err
	}
	p.original = nil
	p.clear()
	if p.file.Size > p.partLimit() {
		p.err = p.start(ctx)
	}
	return p.err
}

// keepOriginal tells whether what p turned out to be the same as is still there. In an
// object store all is durable.
func (p *partial) keepOriginal(ctx context.Context) error {
	now, exists, err := p.store.client.stat(ctx, p.original.object.key)
	if err == nil && (!exists || now.etag != p.original.object.etag) {
		err = errOtherNow
	}
	return err
}
