package s3

import (
	"io"
	"sync"
)

// slabSize is how much memory a part takes at a time. What a slow sender holds
// is not much more than what it sent.
const slabSize = 256 << 10

// A memory bounds what all parts of a store take, and makes senders wait when
// it is used up.
//
// Parts that fill while the bound is reached would wait for each other for
// ever. So there is one, the favourite, that may exceed it until it is full and
// on its way: no more is ever taken than the limit and one part.
type memory struct {
	mu        sync.Mutex
	changed   *sync.Cond
	limit     int64
	used      int64
	most      int64 // that was ever used
	favourite *part
	closed    bool
	free      []*[slabSize]byte // to be used again; none once nothing is used
}

func newMemory(limit int64) *memory {
	m := &memory{limit: limit}
	m.changed = sync.NewCond(&m.mu)
	return m
}

// take waits until p may have n bytes more.
func (m *memory) take(p *part, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		switch {
		case m.closed:
			return errClosed
		case m.used+n > m.limit && m.favourite == nil:
			m.favourite = p
		}
		if m.used+n <= m.limit || m.favourite == p {
			m.used += n
			m.most = max(m.most, m.used)
			return nil
		}
		m.changed.Wait()
	}
}

// give takes back all memory of p, n bytes of which these are a part.
func (m *memory) give(p *part, n int64, slabs []*[slabSize]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
	m.free = append(m.free, slabs...)
	if m.used == 0 {
		m.free = nil
	}
	if m.favourite == p || m.used <= m.limit {
		m.favourite = nil
	}
	m.changed.Broadcast()
}

func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.changed.Broadcast()
}

// A part is a piece of a file in memory.
type part struct {
	memory *memory
	taken  int64    // of memory
	pieces [][]byte // all but the last are full
	pooled []*[slabSize]byte
	sum    checksum // of what it holds
}

// A slab is room for bytes of a part.
type slab struct {
	bytes  []byte
	pooled *[slabSize]byte // nil if it is smaller
}

// slab waits for memory for p, into which so many bytes may still come.
func (m *memory) slab(p *part, rest int64) (slab, error) {
	rest = min(rest, slabSize)
	if err := m.take(p, rest); err != nil {
		return slab{}, err
	}
	if rest < slabSize {
		return slab{bytes: make([]byte, 0, rest)}, nil
	}
	pooled := m.reuse()
	if pooled == nil {
		pooled = new([slabSize]byte)
	}
	return slab{pooled[:0], pooled}, nil
}

func (m *memory) reuse() (slab *[slabSize]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.free); n > 0 {
		slab, m.free = m.free[n-1], m.free[:n-1]
	}
	return slab
}

// add adds room to a part.
func (p *part) add(s slab) {
	p.pieces = append(p.pieces, s.bytes)
	p.taken += int64(cap(s.bytes))
	if s.pooled != nil {
		p.pooled = append(p.pooled, s.pooled)
	}
}

// room is how many bytes fit before more must be added.
func (p *part) room() int {
	if len(p.pieces) == 0 {
		return 0
	}
	last := p.pieces[len(p.pieces)-1]
	return cap(last) - len(last)
}

// write appends b, for which there is room.
func (p *part) write(b []byte) {
	last := &p.pieces[len(p.pieces)-1]
	*last = append(*last, b...)
	p.sum.add(b)
}

// release gives all memory back.
func (p *part) release() {
	p.memory.give(p, p.taken, p.pooled)
	p.pieces, p.pooled, p.taken, p.sum = nil, nil, 0, checksum{}
}

// A body is what a request sends. Reading fails once it was revoked: HTTP may
// read on although its request has ended.
type body struct {
	*io.SectionReader
	mu      sync.Mutex
	revoked bool
}

func newBody(r io.ReaderAt, size int64) *body {
	return &body{SectionReader: io.NewSectionReader(r, 0, size)}
}

func (b *body) Read(dst []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.revoked {
		return 0, errClosed
	}
	return b.SectionReader.Read(dst)
}

func (b *body) revoke() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revoked = true
}

// ReadAt implements io.ReaderAt.
func (p *part) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && off < p.sum.size {
		k := copy(b[n:], p.pieces[off/slabSize][off%slabSize:])
		n, off = n+k, off+int64(k)
	}
	if n < len(b) {
		err = io.EOF
	}
	return n, err
}
