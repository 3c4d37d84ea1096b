package s3

import (
	"io"
	"sync"

	"github.com/labnet/labnet/storage"
)

// ReadFrom implements [storage.Partial]. What it counts is in memory, at most
// two parts and those that are on their way to the object store.
func (p *partial) ReadFrom(r io.Reader) (n int64, err error) {
	buffer := takeBuffer(p.file.Size)
	defer giveBuffer(buffer)
	return storage.Feed(*buffer, r.Read, p.append)
}

// append adds b, and waits for memory where need be.
func (p *partial) append(b []byte) (n int, err error) {
	for {
		k, rest, err := p.fill(b[n:])
		n += k
		if err != nil || n == len(b) {
			return n, err
		}
		if err := p.extend(rest); err != nil {
			return n, err
		}
	}
}

// fill adds as much of b as there is room for, and returns how many bytes may
// still come into the part.
func (p *partial) fill(b []byte) (n int, rest int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return 0, 0, err
	}
	if p.hasGrown() {
		if err := p.continueOriginal(); err != nil {
			return 0, 0, err
		}
	}
	if p.file.Size >= 0 && int64(len(b)) > p.file.Size-p.size {
		p.err = storage.ErrTooLong
		return 0, 0, p.err
	}
	if p.part != nil && p.part.sum.size >= p.partLimit() && len(b) > 0 {
		if err := p.flush(); err != nil {
			return 0, 0, err
		}
	}
	if err := p.keepLive(); err != nil {
		return 0, 0, err
	}
	if p.part != nil {
		n = min(len(b), p.part.room(), int(p.partLimit()-p.part.sum.size))
		p.take(b[:n])
		if p.multi != nil && p.part.sum.size == p.partLimit() {
			err = p.flush()
		}
	}
	return n, p.rest(), err
}

// rest is how many bytes may still come into the part. It needs p.mu.
func (p *partial) rest() int64 {
	rest := p.partLimit()
	if p.part != nil {
		rest -= p.part.sum.size
	}
	if p.file.Size >= 0 {
		rest = min(rest, p.file.Size-p.size)
	}
	return rest
}

// take adds b, for which there is room.
func (p *partial) take(b []byte) {
	if len(b) == 0 {
		return
	}
	p.takeSummed(b)
	if p.hash != nil {
		p.hash.Write(b)
	}
	if p.proof != nil {
		p.proof.Write(b)
	}
}

// takeSummed is take for what the digests have already.
func (p *partial) takeSummed(b []byte) {
	p.part.write(b)
	p.size += int64(len(b))
}

// extend waits for memory and makes room in the part.
func (p *partial) extend(rest int64) error {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return errClosed
	}
	if p.part == nil {
		p.part = &part{memory: p.store.memory}
	}
	part, full := p.part, p.part.sum.size >= p.partLimit()
	p.mu.Unlock()
	if full {
		return nil // to be flushed first
	}
	slab, err := p.store.memory.slab(part, rest)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	part.add(slab)
	if p.part != part { // it has ended meanwhile
		part.release()
		return errClosed
	}
	return nil
}

// usable tells why nothing can be added. It needs p.mu.
func (p *partial) usable() error {
	switch {
	case p.ended:
		return errClosed
	case p.err == nil && p.multi != nil:
		p.err = p.multi.failure()
	}
	return p.err
}

// flush sends the part that has filled on its way. It needs p.mu.
func (p *partial) flush() error {
	ctx := p.store.background
	if p.multi == nil {
		if p.err = p.start(ctx); p.err != nil {
			return p.err
		}
	}
	full := p.part
	p.part = nil
	p.sum = p.sum.join(full.sum)
	var hash []byte
	if p.hash != nil {
		hash = checkpoint(p.hash)
	}
	p.err = p.multi.send(p.store.client, full, mark{p.sum, hash, checkpoint(p.proving())})
	return p.err
}

// smallBuffer is that of a file which fits into it; others get a larger one.
const smallBuffer, largeBuffer = 4 << 10, 64 << 10

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, smallBuffer); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}
)

// takeBuffer returns a buffer for a file of so many bytes.
func takeBuffer(size int64) *[]byte {
	if size >= 0 && size <= smallBuffer {
		return smallBuffers.Get().(*[]byte)
	}
	return largeBuffers.Get().(*[]byte)
}

func giveBuffer(b *[]byte) {
	if len(*b) == smallBuffer {
		smallBuffers.Put(b)
	} else {
		largeBuffers.Put(b)
	}
}
