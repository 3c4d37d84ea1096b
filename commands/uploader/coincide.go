package uploader

import (
	"hash/maphash"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// errCoincides is about the course's protocol, whose servers overwrite.
var errCoincides = problem.New("another file was just sent under that name, and might be overwritten", string(wire.CodeExists), client.RenameHint)

// A coincidence is what a run knows of the names that it has announced: which are
// the same, and which are to some servers, so that none of its files takes the
// place of another. Of each name it keeps hashes of about 20 bytes in all. Its
// zero value is ready for use; it is used by one goroutine.
type coincidence struct {
	seed  maphash.Seed
	names map[uint64]use // by how a name is folded, and of some by how it is spelt
}

// A use is what became of a name: a hash of the spelling that came first, and
type use uint32

const (
	twice  use = 1 << 31 // it came more than once
	others use = 1 << 30 // others came that are folded alike
)

func spelling(hash uint64) use { return use(hash) &^ (twice | others) }

// announce says of an item that is about to be announced what it must not
// replace. An item that is tried again is still one.
func (c *coincidence) announce(it *item) wire.Replacement {
	name := it.announcement.Name
	if name == "" {
		return wire.ReplaceAny // the server makes one
	}
	if c.names == nil {
		c.seed, c.names = maphash.MakeSeed(), map[uint64]use{}
	}
	if !it.named {
		it.named = true
		c.add(name)
	}
	replace := c.of(name)
	if first, numbered := storage.Unnumbered(name); numbered {
		replace = max(replace, c.of(first)) // the second of those may have this name
	}
	return replace
}

func (c *coincidence) add(name string) {
	fold, own := c.hashes(name)
	u, known := c.names[fold]
	switch {
	case !known:
		c.names[fold] = spelling(own)
		return
	case u&^(twice|others) == spelling(own):
		c.names[fold] = u | twice
		return
	}
	c.names[fold] = u | others
	if u, known := c.names[^own]; known {
		c.names[^own] = u | twice
	} else {
		c.names[^own] = spelling(own)
	}
}

func (c *coincidence) of(name string) wire.Replacement {
	fold, own := c.hashes(name)
	u, known := c.names[fold]
	same := u
	if u&^(twice|others) != spelling(own) {
		same = c.names[^own]
	}
	switch {
	case known && same&twice != 0:
		return wire.ReplaceNone
	case u&others != 0:
		return wire.ReplaceOther
	}
	return wire.ReplaceAny
}

// hashes returns those of a name as the least particular system would fold it, and
// of the name itself.
func (c *coincidence) hashes(name string) (fold, own uint64) {
	own = maphash.String(c.seed, name)
	folded := strings.ToLower(name)
	if len(name) != utf8.RuneCountInString(name) {
		folded = norm.NFC.String(cases.Fold().String(name))
	}
	if folded == name {
		return own, own
	}
	return maphash.String(c.seed, folded), own
}
