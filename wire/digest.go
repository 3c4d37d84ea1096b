package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/minio/crc64nvme"
)

// A Digest is a way to sum up contents. Its name is the key of the field that
// carries the sum, in lower-case hexadecimal digits.
type Digest struct {
	Name string
	New  func() hash.Hash
}

// digests lists what this version knows, the default first. CRC-64/NVME costs
// next to nothing beside the copying of the bytes; SHA-256 also withstands a
// forger.
var digests = []Digest{
	{"crc64nvme", func() hash.Hash { return crc64nvme.New() }},
	{"sha256", sha256.New},
}

// Digests returns the digests that this version knows, the default first.
func Digests() []Digest { return append([]Digest(nil), digests...) }

// DigestByName returns a digest; "" stands for the default.
func DigestByName(name string) (Digest, bool) {
	for _, d := range digests {
		if name == d.Name || name == "" {
			return d, true
		}
	}
	return Digest{}, false
}

// A Sum is what one side counted and summed up of some contents.
type Sum struct {
	// Size is the length in bytes.
	Size int64
	// Digest is empty where none was taken.
	Digest []byte
}

// Hex returns the digest as the protocol writes it.
func (s Sum) Hex() string { return hex.EncodeToString(s.Digest) }
