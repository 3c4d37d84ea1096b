package s3

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"hash"
	"slices"
	"sync"
	"time"

	"github.com/labnet/labnet/storage"
)

// endTime is how long it may take to put away or drop what was interrupted.
const endTime = time.Minute

// A partial is a file in progress.
type partial struct {
	store      *Store
	file       storage.File
	onConflict storage.Conflict
	token      string // tells it from all others, anywhere
	stateKey   string

	mu       sync.Mutex // against Store.Close
	hash     hash.Hash  // nil if nobody asked, or if sums are enough
	proof    hash.Hash  // nil while there is one part at most, or if hash is by proofName
	sum      checksum   // of all full parts
	part     *part      // behind them; nil if there is nothing
	size     int64      // of both
	multi    *multipart // nil while there is one part at most
	offer    storage.Offer
	original *original // instead of both, for as long as p may be the same
	err      error     // why there is less than there should be
	ended    bool

	etag       string // of the state; "" if there is none
	turn       int    // of the state
	renewed    time.Time
	superseded bool
}

func newPartial(s *Store, f storage.File, c storage.Conflict) *partial {
	p := &partial{store: s, file: f, onConflict: c, token: rand.Text()}
	f.ID = cmp.Or(f.ID, p.token)
	p.stateKey = s.stateKey(f)
	p.resetHash()
	return p
}

func (p *partial) resetHash() {
	p.hash, p.proof = nil, nil
	if d := p.file.Digest; d.New != nil && d.Name != crcName {
		p.hash = d.New()
	}
}

// digest is the digest of all bytes so far.
func (p *partial) digest() []byte {
	switch {
	case p.file.Digest.New == nil:
		return nil
	case p.original != nil:
		return p.original.digest
	case p.hash != nil:
		return p.hash.Sum(nil)
	}
	return p.total().bytes()
}

// total is the sum of all bytes so far.
func (p *partial) total() checksum {
	if p.part == nil {
		return p.sum
	}
	return p.sum.join(p.part.sum)
}

// resumable reports whether a later upload could continue with p.
func (p *partial) resumable() bool {
	return p.file.ID != "" && p.file.Size >= 0 && p.file.Digest.New != nil && slices.ContainsFunc(p.file.Proofs, isProof)
}

// partLimit is the size that the part which fills is going to have.
func (p *partial) partLimit() int64 {
	switch {
	case p.multi != nil && p.multi.partSize > 0:
		return p.multi.partSize
	case p.file.Size >= 0:
		return partSize(p.file.Size, p.store.o.PartSize)
	case p.multi != nil:
		return growingPart(p.multi.count, p.store.o.PartSize)
	}
	return growingPart(0, p.store.o.PartSize)
}

// begin continues with what an earlier upload of the same ID left, or begins again.
func (p *partial) begin(ctx context.Context) error {
	if p.onlyLooks() {
		return p.onlyLook(ctx)
	}
	if p.onConflict == storage.Refuse && p.file.Size >= 0 {
		old, exists, err := p.store.client.stat(ctx, p.store.root+p.file.Name)
		if err != nil {
			return err
		}
		if exists && old.size != p.file.Size {
			return storage.ErrExists
		}
	}
	if p.file.ID != "" {
		if err := p.store.checkFile(ctx, p.file.Name); err != nil {
			return err
		}
		if err := p.resume(ctx); err != nil {
			return err
		}
		if p.size == 0 && p.multi == nil {
			if err := p.findOriginal(ctx); err != nil {
				return err
			}
		}
	} else if err := p.look(ctx); err != nil {
		return err
	}
	if p.original != nil {
		return nil
	}
	if p.multi == nil && p.file.Size > p.partLimit() {
		return p.start(ctx)
	}
	return nil
}

// writeLiveState tells other servers that p goes on. It needs p.mu.
func (p *partial) writeLiveState() error {
	if err := p.writeState(p.store.background, going); err != nil {
		p.err = err
	}
	return p.err
}

// keepLive is writeLiveState where it is time for that. It needs p.mu.
func (p *partial) keepLive() error {
	if p.multi == nil || time.Since(p.renewed) <= renewTime {
		return nil
	}
	return p.writeLiveState()
}

// Restart implements [storage.Partial].
func (p *partial) Restart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.store.background, endTime)
	defer cancel()
	if p.original != nil {
		return p.leaveOriginal(ctx)
	}
	p.err = p.drop(ctx)
	p.clear()
	if p.err == nil && p.file.Size > p.partLimit() {
		p.err = p.start(ctx)
	}
	return p.err
}

// clear forgets what p has, which is gone.
func (p *partial) clear() {
	p.sum, p.size, p.offer, p.multi = checksum{}, 0, storage.Offer{}, nil
	p.resetHash()
}

// Suspend implements [storage.Partial]. What has been sent to the object store
// survives the death of the process without it.
func (p *partial) Suspend() error {
	return storage.EndOnce(&p.mu, &p.ended, func() error {
		return p.end(p.resumable() && p.original == nil && p.size > 0 && p.size <= p.store.o.Partials.Bytes)
	})
}

// Abort implements [storage.Partial]. Its error means that something is left in
// the bucket until it expires.
func (p *partial) Abort() error {
	return storage.EndOnce(&p.mu, &p.ended, func() error { return p.end(false) })
}

// end forgets p, and what was stored of it unless that is to be kept.
func (p *partial) end(keep bool) error {
	p.ended = true
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	err := p.usableOnce()
	switch {
	case p.superseded:
		err = nil // it is another server's
	case keep && err == nil:
		err = p.putAway(ctx)
	case keep && errors.Is(err, storage.ErrDegraded):
		err = nil // what is there stays: its parts are known to be right
	default:
		err = p.drop(ctx)
	}
	p.leave()
	if keep && err == nil && !p.superseded && p.etag != "" {
		p.store.noteLeft(p) // which must not look as if somebody went on with it
	}
	return err
}

// usableOnce is usable of what has just ended.
func (p *partial) usableOnce() error {
	if p.multi != nil {
		p.multi.wait()
		p.err = cmp.Or(p.err, p.multi.failure())
	}
	return p.err
}

// putAway keeps what p has for a later upload. It needs p.mu.
func (p *partial) putAway(ctx context.Context) error {
	err := p.writeState(ctx, left)
	if p.superseded {
		return nil
	}
	if err == nil {
		err = p.unclaim(ctx)
	}
	return err
}

// drop removes what is stored of p: first the parts, so that their state can
// still tell of them if that fails. It needs p.mu.
func (p *partial) drop(ctx context.Context) error {
	if p.part != nil {
		p.part.release()
		p.part = nil
	}
	if m := p.multi; m != nil {
		m.cancel()
		m.wait()
		if err := p.store.client.abort(ctx, m.key, m.upload); err != nil {
			return err
		}
	}
	return p.dropState(ctx)
}

// dropState removes what tells others of p. It needs p.mu.
func (p *partial) dropState(ctx context.Context) error {
	if p.etag != "" {
		if err := p.store.client.remove(ctx, p.stateKey); err != nil {
			return err
		}
		p.etag = ""
	}
	return p.unclaim(ctx)
}

// leave gives up what p holds in this process. It needs p.mu.
func (p *partial) leave() {
	if p.part != nil {
		p.part.release()
		p.part = nil
	}
	if p.multi != nil {
		p.multi.cancel()
		p.multi.wait()
	}
	p.store.forget(p)
}
