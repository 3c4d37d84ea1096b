package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/minio/crc64nvme"
	"github.com/zeebo/blake3"
)

// A Digest is a digest algorithm. Its name is the key of the field that holds the
// value, in lower-case hexadecimal digits.
type Digest struct {
	Name string
	New  func() hash.Hash
	// Proves tells that nobody can make other contents of the same digest, so that
	// it can take the place of sending them.
	Proves bool
}

// digests lists what this version supports, the default first. CRC-64/NVME costs
// next to nothing compared to copying the bytes; the others also resist forgery.
// BLAKE3 is quicker than SHA-256 for all but the smallest files where the processor has
// AVX2. (Of two modules, lukechampine.com/blake3 took longer below 1 MiB, and allocates
// for each kilobyte.)
var digests = []Digest{
	{Name: "crc64nvme", New: func() hash.Hash { return crc64nvme.New() }},
	{Name: "sha256", New: sha256.New, Proves: true},
	{Name: "blake3", New: func() hash.Hash { return blake3.New() }, Proves: true},
}

// proofs are the digests that prove contents, the one for most files first, and proofNames is
// how an announcement names them.
var proofs = []Digest{digests[2], digests[1]}

// proofSize is how many bytes each of them has.
const proofSize = 32

const proofNames = "blake3,sha256"

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

// parseProofs reads a list of digests, of which it ignores those that it does not
// know or that prove nothing. The digest of the whole file, if it proves something,
// is the first: it is computed anyway.
func parseProofs(names string, whole Digest) []Digest {
	if names == proofNames && !whole.Proves {
		return proofs
	}
	var list []Digest
	if whole.Proves {
		list = append(list, whole)
	}
	for name := range strings.SplitSeq(names, ",") {
		if d, known := DigestByName(name); known && d.Proves {
			list = append(list, d)
		}
	}
	return list
}

// An Offer is what the server has of a file that is announced, so that the client
// need not send it if it has the same.
type Offer struct {
	// Size is how many bytes of the beginning of the file it has; 0 for none.
	Size int64
	// Digest is the name of the digest that Proof is of these bytes.
	Digest string
	Proof  []byte
	// Stored is set if these are not the bytes of an interrupted upload but those of
	// a file that is there: Commit leaves it, or what follows goes behind a copy of it.
	Stored bool
	// Agreed is set if they are the contents of which the client has told the proof.
	Agreed bool
	// Assumed is set if nobody has read them, and only size and time agree.
	Assumed bool
}

// A Proof is a digest that proves contents. It is zero if Sum is empty.
type Proof struct {
	Digest Digest
	Sum    []byte
}

// Tell sets Contents, of which b is all. Digest must not change after it.
func (a *Announcement) Tell(b []byte) {
	if a.Digest.New == nil {
		a.Digest = digests[0]
	}
	sum := blake3.Sum256(b)
	a.Contents = Proof{proofs[0], sum[:]}
	digest := a.Digest.New()
	digest.Write(b)
	a.told = digest.Sum(nil)
}

// Proofs returns the digests that prove contents, the preferred one first.
func Proofs() []Digest { return append([]Digest(nil), proofs...) }

// A Sum is the size and the digest of contents, as one side computed them.
type Sum struct {
	// Size is the length in bytes.
	Size int64
	// Digest is empty if it was not computed.
	Digest []byte
}

// Hex returns the digest as the protocol writes it.
func (s Sum) Hex() string { return hex.EncodeToString(s.Digest) }
