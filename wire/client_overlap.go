package wire

import (
	"context"
	"hash"
	"io"
	"sync"
	"time"
)

// overlapFrom is the size from which on a file is read while the server still reads what
// it has under that name: one after the other would take twice as long. If the server turns
// out to have nothing it answers soon, and hardly anything was read in vain.
const overlapFrom = 16 << 20

// An overlap reads all of a file, to prove it, before it is known whether the server offers
// one.
type overlap struct {
	quit   func() // may be called again
	done   chan struct{}
	name   string // of the digest that proves
	digest hash.Hash
	proof  hash.Hash
	err    error // why not all was read; set once done
}

// startOverlap begins to read r, if that may be worth while. Nobody else may use r until it
// is done.
func (t *Transfer) startOverlap(r io.Reader) *overlap {
	_, canRewind := r.(io.Seeker)
	if !canRewind || !t.canProve() || t.Size < overlapFrom || t.Quick || len(t.Contents.Sum) > 0 {
		return nil
	}
	quit := make(chan struct{})
	o := &overlap{
		quit: sync.OnceFunc(func() { close(quit) }), done: make(chan struct{}),
		name: t.Digest.Name, digest: t.Digest.New(),
	}
	if o.proof = o.digest; !t.Digest.Proves {
		o.name, o.proof = proofs[0].Name, proofs[0].New()
	}
	t.shown.Store(t.Size) // it is not sent
	go func() {
		defer close(o.done)
		o.err = o.read(r, t.Size, quit)
	}()
	return o
}

func (o *overlap) read(r io.Reader, size int64, quit <-chan struct{}) error {
	chunks := readChunks(r, size)
	defer chunks.stop()
	for n := int64(0); ; {
		select {
		case ch := <-chunks.ready:
			n += int64(ch.n)
			if err := ch.check(n, size); err != nil {
				return &SourceError{err}
			}
			o.digest.Write(ch.data())
			if o.proof != o.digest {
				o.proof.Write(ch.data())
			}
			chunks.reuse(ch)
			if ch.err == io.EOF {
				return nil
			}
		case <-quit:
			return context.Canceled
		}
	}
}

// stop ends the reading. It may be called on nil.
func (o *overlap) stop() {
	if o != nil {
		o.quit()
		<-o.done
	}
}

// proves reports whether o, if there is one, computes the digest that is to be compared with
// that of an offer.
func (o *overlap) proves(offer Offer, size int64) bool {
	return o != nil && offer.Size == size && offer.Digest == o.name
}

// await waits for o, and shows the server meanwhile that the client is alive.
func (t *Transfer) await(ctx context.Context, o *overlap) error {
	alive := time.NewTicker(aliveInterval)
	defer alive.Stop()
	for {
		select {
		case <-o.done:
			return o.err
		case <-alive.C:
			if err := t.client.write(ctx, DataHeader(0).Append(nil)); err != nil {
				return err
			}
		case early, ok := <-t.replies:
			return t.refused(ctx, early, ok)
		}
	}
}
