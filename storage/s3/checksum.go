package s3

import (
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"

	"github.com/minio/crc64nvme"
)

// crcName is the digest of a File that is the object store's own checksum.
const crcName = "crc64nvme"

// A checksum is the CRC-64/NVME of some bytes.
type checksum struct {
	crc  uint64
	size int64
}

func (c *checksum) add(b []byte) {
	c.crc = crc64nvme.Update(c.crc, b)
	c.size += int64(len(b))
}

// join is the checksum of the bytes of c and those of next behind them.
func (c checksum) join(next checksum) checksum {
	return checksum{multiply(c.crc, shift(next.size)) ^ next.crc, c.size + next.size}
}

func (c checksum) bytes() []byte { return binary.BigEndian.AppendUint64(nil, c.crc) }

// String is the checksum as S3 writes it.
func (c checksum) String() string { return base64.StdEncoding.EncodeToString(c.bytes()) }

// parseChecksum is the inverse of String.
func parseChecksum(s string, size int64) (checksum, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != crc64nvme.Size {
		return checksum{}, errors.New("the object store knows no CRC64NVME of it")
	}
	return checksum{binary.BigEndian.Uint64(b), size}, nil
}

// In what follows a number is a polynomial over GF(2) modulo that of the CRC,
// reflected: the coefficient of x^0 is the most significant bit.
const one = 1 << 63

func multiply(a, b uint64) (product uint64) {
	for ; a != 0; a <<= 1 {
		if a&one != 0 {
			product ^= b
		}
		carry := b & 1
		b = b>>1 ^ carry*crc64nvme.NVME
	}
	return product
}

// shift is x^8n: to multiply by it is to append n zero bytes.
func shift(n int64) uint64 {
	power, square := uint64(one), uint64(one>>8)
	for ; n != 0; n >>= 1 {
		if n&1 != 0 {
			power = multiply(power, square)
		}
		square = multiply(square, square)
	}
	return power
}

// checkpoint returns the state of h, or nil if it does not tell.
func checkpoint(h hash.Hash) []byte {
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return nil
	}
	b, err := m.MarshalBinary()
	if err != nil {
		return nil
	}
	return b
}

// restore sets the state of h, and reports whether it could.
func restore(h hash.Hash, state []byte) bool {
	u, ok := h.(encoding.BinaryUnmarshaler)
	return ok && len(state) > 0 && u.UnmarshalBinary(state) == nil
}

// partSize is the size of the parts of a file of so many bytes. The most that
// S3 takes, 5 TiB, comes in 10,000 parts of 525 MiB.
func partSize(size, least int64) int64 {
	const unit = 1 << 20
	n := (size + maxParts - 1) / maxParts
	if n <= least {
		return least
	}
	return (n + unit - 1) / unit * unit
}

// growingPart is the size of the n-th part, from 0 on, of a file of unknown size:
// small at first, for most are, and large enough in the end for 5 TiB.
func growingPart(n int, least int64) int64 {
	const unit, each = 1 << 20, 9
	return least + int64(n/each)*unit
}
