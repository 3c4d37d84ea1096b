package dir

import (
	"bytes"
	"io"
)

// blockSize is that of most filesystems: a hole is made of such blocks.
const blockSize = 4 << 10

var zeros [blockSize]byte

// rest is how many bytes of the disk the rest of p takes at most, if its sender is
// right about its holes.
func (p *partial) rest() int64 {
	return max(0, min(p.file.Size-p.size, p.file.Size-p.file.Holes))
}

// write appends b to f. In a file with holes it leaves out blocks of zeros.
func (p *partial) write(b []byte) (n int, err error) {
	if p.file.Holes == 0 {
		n, err = p.f.Write(b)
		p.claimed(int64(n))
		return n, err
	}
	for n < len(b) {
		k, zero := run(b[n:], p.size+int64(n))
		if zero {
			_, err = p.f.Seek(int64(k), io.SeekCurrent)
		} else {
			k, err = p.writeClaimed(b[n : n+k])
		}
		if n += k; err != nil || k == 0 {
			return n, err
		}
	}
	return n, nil
}

// writeClaimed writes b. It claims what the sender has not announced.
func (p *partial) writeClaimed(b []byte) (n int, err error) {
	if more := int64(len(b)) - p.promised; more > 0 {
		if err := p.place.space.claim(more, false); err != nil {
			return 0, err
		}
	}
	n, err = p.f.Write(b)
	p.claimed(int64(n))
	return n, err
}

// endHole gives f its length, which it has not if it ends in a hole.
func (p *partial) endHole() error {
	if p.file.Holes == 0 {
		return nil
	}
	return p.f.Truncate(p.size)
}

// run returns how many bytes b, which belongs at the offset, begins with that are in
// blocks of zeros only, or else in others.
func run(b []byte, offset int64) (n int, zero bool) {
	for n < len(b) {
		k := min(len(b)-n, blockSize-int((offset+int64(n))%blockSize))
		z := bytes.Equal(b[n:n+k], zeros[:k])
		if n > 0 && z != zero {
			break
		}
		zero = z
		n += k
	}
	return n, zero
}
