package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/minio/crc64nvme"
)

// A Digest is a digest algorithm. Its name is the key of the field that holds the
// value, in lower-case hexadecimal digits.
type Digest struct {
	Name string
	New  func() hash.Hash
}

// digests lists what this version supports, the default first. CRC-64/NVME costs
// next to nothing compared to copying the bytes; SHA-256 also resists forgery.
var digests = []Digest{
	{"crc64nvme", func() hash.Hash { return crc64nvme.New() }},
	{"sha256", sha256.New},
}

// Digests returns the digests that this version supports, the default first.
func Digests() []Digest { return append([]Digest(nil), digests...) }

// DigestByName returns a digest; "" means the default.
func DigestByName(name string) (Digest, bool) {
	for _, d := range digests {
		if name == d.Name || name == "" {
			return d, true
		}
	}
	return Digest{}, false
}

// A Sum is the size and the digest of contents, as one side computed them.
type Sum struct {
	// Size is the length in bytes.
	Size int64
	// Digest is empty if it was not computed.
	Digest []byte
}

// Hex returns the digest as the protocol writes it.
func (s Sum) Hex() string { return hex.EncodeToString(s.Digest) }
