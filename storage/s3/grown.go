package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/labnet/labnet/storage"
)

// leastBeginning is the least size of an object that another file goes on with: to send
// less again costs less than to ask for it.
const leastBeginning = 64 << 10

// hasGrown reports whether p may be its original and more.
func (p *partial) hasGrown() bool {
	return p.original != nil && p.original.object.size < p.file.Size
}

// mayHaveGrown reports whether an object can be offered as the beginning of p.
func (p *partial) mayHaveGrown(o object) bool {
	return !p.isTold() && !p.onlyLooks() && p.file.Digest.New != nil && slices.ContainsFunc(p.file.Proofs, isProof) &&
		o.size >= leastBeginning && o.size < p.file.Size
}

// longest returns the longest of the objects that can be offered as the beginning of p, and
// of several the last.
func (p *partial) longest(objects []object) (longest object) {
	for _, o := range objects {
		if p.mayHaveGrown(o) && o.size >= longest.size {
			longest = o
		}
	}
	return longest
}

// offerBeginning offers an object as the beginning of p, by the digest that is noted of
// it, or by reading it. It returns none if the object has changed meanwhile.
func (p *partial) offerBeginning(ctx context.Context, o object) (*original, storage.Offer, error) {
	var proof []byte
	var b *beginning
	if o.size > p.store.o.PartSize {
		noted, err := p.store.readDigest(ctx, o)
		if err != nil {
			return nil, storage.Offer{}, err
		}
		if proof, err = hex.DecodeString(noted); err != nil {
			proof = nil
		}
	}
	if len(proof) != sha256.Size {
		var err error
		if b, err = p.sumUp(ctx, o); b == nil || err != nil {
			return nil, storage.Offer{}, err
		}
		if proof = b.proof.Sum(nil); o.size > p.store.o.PartSize {
			p.store.writeDigest(ctx, o.key, o.etag, proof)
		}
	}
	offer := storage.Offer{Size: o.size, Stored: true, Digest: proofName, Proof: proof}
	return &original{name: o.key[len(p.store.root):], object: o, beginning: b}, offer, nil
}

// A beginning is what is known of an object that a file begins with, once it was read.
type beginning struct {
	parts []checksum // of those of the file that it fills
	end   mark       // behind them
	sum   checksum   // of all
	proof hash.Hash  // of all
}

// sumUp reads an object. It returns nothing if the object has changed; otherwise the
// digest of p has all of it.
func (p *partial) sumUp(ctx context.Context, o object) (*beginning, error) {
	p.resetHash()
	b := &beginning{proof: p.hash}
	if !isProof(p.file.Digest) {
		b.proof = sha256.New()
	}
	s := &summer{beginning: b, hash: p.hash, partSize: p.partLimit()}
	s.full = o.size / s.partSize * s.partSize
	same, err := p.store.read(ctx, o, s)
	if !same || err != nil {
		p.resetHash()
		return nil, err
	}
	b.sum = b.end.sum.join(s.part)
	return b, nil
}

// A summer sums up a beginning.
type summer struct {
	*beginning
	hash     hash.Hash // nil if sums are enough
	partSize int64
	full     int64    // how much of it fills parts
	part     checksum // of what is behind the last full part
}

func (s *summer) Write(b []byte) (n int, err error) {
	for n < len(b) {
		piece := b[n:][:min(int64(len(b)-n), s.partSize-s.part.size)]
		n += len(piece)
		s.part.add(piece)
		s.proof.Write(piece)
		if s.hash != nil && s.hash != s.proof {
			s.hash.Write(piece)
		}
		if s.part.size < s.partSize {
			continue
		}
		s.parts = append(s.parts, s.part)
		s.end.sum = s.end.sum.join(s.part)
		s.part = checksum{}
		if s.end.sum.size == s.full {
			s.end.proof = checkpoint(s.proof)
			if s.hash != nil {
				s.end.hash = checkpoint(s.hash)
			}
		}
	}
	return n, nil
}

// continueOriginal has p begin as a file of its own with what is in its original, which
// the sender has too: more is coming. The object store copies what fills parts, if it can;
// all else is read. It needs p.mu.
func (p *partial) continueOriginal() error {
	o := p.original
	p.original, p.size = nil, 0
	if err := p.copyFrom(p.store.background, o); err != nil {
		if errors.Is(err, errCondition) || errors.Is(err, errAbsent) || errors.Is(err, errUnreadable) {
			err = errOtherNow
		}
		p.err = fmt.Errorf("continue %q: %w", o.name, p.store.stopped(err))
	}
	return p.err
}

func (p *partial) copyFrom(ctx context.Context, o *original) error {
	b := o.beginning
	if b == nil { // it was offered by what is noted
		var err error
		if b, err = p.sumUp(ctx, o.object); err != nil {
			return err
		}
		if b == nil || !bytes.Equal(b.proof.Sum(nil), p.offer.Proof) {
			return errOtherNow
		}
	}
	if p.file.Size > p.partLimit() {
		if err := p.start(ctx); err != nil {
			return err
		}
		if !isProof(p.file.Digest) {
			p.proof = b.proof
		}
	}
	take := p.takeSummed
	if err := p.copyParts(ctx, o.object, b); errors.Is(err, errors.ErrUnsupported) {
		p.store.noCopies.Store(true)
		take = p.take // it is sent as if it came from the sender
		p.resetHash()
		p.beginProof()
	} else if err != nil {
		return err
	}
	if err := p.readRest(ctx, o.object, take); err != nil {
		return err
	}
	if p.total() != b.sum {
		return errOtherNow
	}
	return nil
}

// copyParts has the object store copy the parts that an object fills, and compares them
// with the sums that were found when it was read.
func (p *partial) copyParts(ctx context.Context, from object, b *beginning) error {
	if len(b.parts) == 0 {
		return nil
	}
	if p.store.noCopies.Load() {
		return errors.ErrUnsupported
	}
	m := p.multi
	parts := make([]minio.ObjectPart, len(b.parts))
	all, sub := errgroup.WithContext(ctx)
	all.SetLimit(maxSending)
	for i, sum := range b.parts {
		if err := p.keepLive(); err != nil {
			return errors.Join(err, all.Wait())
		}
		all.Go(func() (err error) {
			parts[i], err = p.store.client.copyPart(sub, from, int64(i)*m.partSize, sum, m.key, m.upload, i+1)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	for _, part := range parts {
		m.take(part, b.end)
	}
	p.sum, p.size = b.end.sum, b.end.sum.size
	return p.writeState(ctx, going)
}

// readRest reads what was not copied of an object, by means of take.
func (p *partial) readRest(ctx context.Context, from object, take func([]byte)) error {
	if p.size == from.size {
		return nil
	}
	r, err := p.store.client.getFrom(ctx, from, p.size)
	if err != nil {
		return err
	}
	defer r.Close()
	for p.size < from.size {
		size := min(p.partLimit(), from.size-p.size)
		if err := p.fillPart(r, size, take); err != nil {
			return err
		}
		if p.multi != nil && size == p.partLimit() {
			if err := p.flush(); err != nil {
				return err
			}
		}
		if err := p.keepLive(); err != nil {
			return err
		}
	}
	return nil
}
