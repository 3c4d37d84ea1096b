package storage

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"iter"
	"strings"
	"time"
)

// Bounds are those of what interrupted uploads leave. Of each, zero stands for its default,
// and less than zero for none.
type Bounds struct {
	// Age is how long it is kept after its last byte. It may last up to a second or a
	// 24th longer.
	Age time.Duration
	// Count is how many are kept at most. The oldest go first: see Excess.
	Count int
	// Bytes is how many of them are kept at most, all together. One that is larger is
	// not kept.
	Bytes int64
}

// The defaults of Bounds.
const (
	// DefaultPartialTTL gives a person a day to come back.
	DefaultPartialTTL = 24 * time.Hour
	// DefaultMaxPartials is enough for a folder of files sent by many at once.
	DefaultMaxPartials = 1000
	// DefaultMaxPartialBytes is a tebibyte, for files up to that size.
	DefaultMaxPartialBytes = 1 << 40
)

// WithDefaults has the defaults in place of zeros.
func (b Bounds) WithDefaults() Bounds {
	return Bounds{
		Age:   cmp.Or(b.Age, DefaultPartialTTL),
		Count: cmp.Or(b.Count, DefaultMaxPartials),
		Bytes: cmp.Or(b.Bytes, DefaultMaxPartialBytes),
	}
}

// A Leftover is what an interrupted upload has left at the server, so that a later
// one can resume it. Who sent it cannot be told, but whether it was the same as of others.
type Leftover struct {
	// Name is the file's name in the hidden folder.
	Name string
	// Owner is the same for all of one owner; empty for those without.
	Owner string
	// Size is how many bytes have arrived.
	Size int64
	// Age is how long ago the upload was interrupted.
	Age time.Duration
}

// UploadName is the name under which stores keep what there is of f, which has an ID. It
// holds nothing of what the peer has sent but a hash.
func (f File) UploadName() string {
	if f.Owner == "" {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(f.ID)))
	}
	return ownerName(f.Owner) + "-" + fmt.Sprintf("%x", sha256.Sum256([]byte(f.Owner+"\x00"+f.ID)))
}

// ownerName stands for an owner; 64 bits are enough, since who forges an owner of
// the same only shares bounds with that one.
func ownerName(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return fmt.Sprintf("%x", sum[:8])
}

// OwnerOf returns the Leftover.Owner of a name that UploadName has made.
func OwnerOf(name string) string {
	owner, _, ok := strings.Cut(name, "-")
	if !ok {
		return ""
	}
	return owner
}

// Left returns how much of a list is of the owner of f, apart from what f would resume.
// Names in the list may be longer than UploadName by a suffix.
func Left(list iter.Seq[Leftover], f File) (left Usage) {
	if f.Owner == "" {
		return Usage{}
	}
	owner, own := ownerName(f.Owner), f.UploadName()
	for l := range list {
		if l.Owner == owner && (f.ID == "" || !strings.HasPrefix(l.Name, own)) {
			left = left.Add(Usage{Bytes: l.Size, Files: 1})
		}
	}
	return left
}

// Excess returns which of a list of leftovers, the oldest first, have to go so that no
// more than a number of them, and of their bytes, are left: always the oldest of the
// owner with the most, so that nobody loses anything to an owner with more.
func (b Bounds) Excess(list []Leftover) (excess []Leftover) {
	byOwner := map[string][]Leftover{}
	held := map[string]Usage{}
	var all Usage
	for _, l := range list {
		one := Usage{Bytes: l.Size, Files: 1}
		byOwner[l.Owner] = append(byOwner[l.Owner], l)
		held[l.Owner], all = held[l.Owner].Add(one), all.Add(one)
	}
	for all.Files > int64(max(0, b.Count)) || all.Bytes > max(0, b.Bytes) {
		tooMany := all.Files > int64(max(0, b.Count))
		var owner string
		var greatest int64 = -1
		for o, u := range held {
			n := u.Bytes
			if tooMany {
				n = u.Files
			}
			if n > greatest || n == greatest && o < owner {
				owner, greatest = o, n
			}
		}
		oldest := byOwner[owner][0]
		one := Usage{Bytes: oldest.Size, Files: 1}
		byOwner[owner] = byOwner[owner][1:]
		held[owner], all = held[owner].Sub(one), all.Sub(one)
		excess = append(excess, oldest)
	}
	return excess
}
