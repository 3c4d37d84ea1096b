package dir

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/storage"
)

// A way is how a store does what can be done in several ways.
type way int

const (
	linked    way = 1 << iota // the filesystem can only link
	batched                   // as if many files waited for the disk
	unnamed                   // as if many files were in progress
	replacing                 // names that are taken

	alone way = 0
)

func (v way) String() string {
	s := ""
	for i, name := range []string{"linked", "batched", "unnamed", "replacing"} {
		if v&(1<<i) != 0 {
			s += name + " "
		}
	}
	return s
}

// watch opens a store in dir that does as v says and watches it.
func (v way) watch(t *testing.T, folder string) (*Store, *watch) {
	conflict := storage.Rename
	if v&replacing != 0 {
		conflict = storage.Replace
	}
	d, w := watchDir(t, folder, conflict)
	w.noMove = v&linked != 0
	if d.batch.from = 0; v&batched != 0 {
		d.batch.from = 1
	}
	if d.namelessFrom = 0; v&unnamed != 0 && !d.Unname() {
		t.Skip("this filesystem has no files without a name")
	}
	return d, w
}

// A scenario is an upload and what it finds in the store.
type scenario struct {
	what     string
	way      way
	before   map[string]string
	name     string
	data     string
	left     string // by an earlier upload of the same ID; empty for none
	suspend  int    // after so many bytes; 0 for never
	noID     bool
	noProof  bool
	told     bool // the digest in advance
	quick    bool // the time is enough
	check    bool // only looked for
	young    bool // what is there before is not durable
	clones   bool
	after    map[string]string // except for folders
	harmless []string          // calls whose failure may change nothing
}

// longer is long enough to have its blocks reserved.
var longer = strings.Repeat("0123456789abcdef", small/16) + "!"

// unreadable are the calls whose failure may tell that what was left cannot be
// gone on with.
var unreadable = []string{"open P", "stat P", "links P", "read P"}

var scenarios = []scenario{
	{what: "plain", name: "f", data: "new",
		after: map[string]string{"f": "new"}},
	{what: "without ID", name: "f", data: "new", noID: true,
		after: map[string]string{"f": "new"}},
	{what: "large", name: "f", data: longer,
		after: map[string]string{"f": longer}},
	{what: "new folders", name: "a/b/f", data: "new",
		after: map[string]string{"a/b/f": "new"}},
	{what: "unchanged", before: map[string]string{"f": "new"}, name: "f", data: "new",
		after:    map[string]string{"f": "new"},
		harmless: []string{"close f", "close P again"}},
	{what: "unchanged, told in advance", before: map[string]string{"f": "new"}, name: "f", data: "new", noID: true, told: true,
		after:    map[string]string{"f": "new"},
		harmless: []string{"close f"}},
	{what: "unchanged, a numbered one", before: map[string]string{"f": "old", "f (2)": "new"}, name: "f", data: "new", noID: true, told: true,
		after:    map[string]string{"f": "old", "f (2)": "new"},
		harmless: []string{"close f", "close f (2)"}},
	{what: "unchanged, by its time", before: map[string]string{"f": "new"}, name: "f", data: "new", noID: true, quick: true,
		after:    map[string]string{"f": "new"},
		harmless: []string{"close f"}},
	{what: "unchanged, only looked for", before: map[string]string{"f": "new"}, name: "f", data: "new", noID: true, check: true,
		after:    map[string]string{"f": "new"},
		harmless: []string{"close f"}},
	{what: "unchanged, not durable", young: true, before: map[string]string{"a/f": "new"}, name: "a/f", data: "new",
		after:    map[string]string{"a/f": "new"},
		harmless: []string{"close a/f"}},
	{what: "unchanged, not durable, told in advance", young: true, before: map[string]string{"a/f": "new"}, name: "a/f", data: "new", noID: true, told: true,
		after:    map[string]string{"a/f": "new"},
		harmless: []string{"close a/f"}},
	{what: "unchanged, not durable, by its time", young: true, before: map[string]string{"f": "new"}, name: "f", data: "new", noID: true, quick: true,
		after:    map[string]string{"f": "new"},
		harmless: []string{"close f"}},
	{what: "unchanged, not durable, only looked for", young: true, before: map[string]string{"f": "new"}, name: "f", data: "new", noID: true, check: true,
		after:    map[string]string{"f": "new"},
		harmless: []string{"close f"}},
	{what: "unchanged, not durable, all sent", young: true, before: map[string]string{"f": "new"}, name: "f", data: "new", noProof: true,
		after:    map[string]string{"f": "new"},
		harmless: []string{"close f", "close P again"}},
	{what: "others told in advance", before: map[string]string{"f": "old"}, name: "f", data: "new", told: true,
		after:    map[string]string{"f": "old", "f (2)": "new"},
		harmless: []string{"close f", "close P again"}},
	{what: "unchanged, all sent", before: map[string]string{"f": "new"}, name: "f", data: "new", noProof: true,
		after:    map[string]string{"f": "new"},
		harmless: []string{"close f", "close P again"}},
	{what: "of the same size", before: map[string]string{"f": "old"}, name: "f", data: "new",
		after:    map[string]string{"f": "old", "f (2)": "new"},
		harmless: []string{"close f", "close P again"}},
	{what: "renamed", before: map[string]string{"a/f": "old", "a/f (2)": "older"}, name: "a/f", data: "new",
		after:    map[string]string{"a/f": "old", "a/f (2)": "older", "a/f (3)": "new"},
		harmless: []string{"close a/f", "close a/f (2)", "close P again"}},
	{what: "replaced", way: replacing, before: map[string]string{"f": "old"}, name: "f", data: "new",
		after:    map[string]string{"f": "new"},
		harmless: []string{"close f", "close P again"}},
	{what: "resumed", name: "a/f", data: "contents", left: "cont",
		after:    map[string]string{"a/f": "contents"},
		harmless: unreadable},
	{what: "resumed and large", name: "f", data: longer, left: longer[:small/2],
		after:    map[string]string{"f": longer},
		harmless: unreadable},
	{what: "resumed and complete", name: "f", data: "new", left: "new",
		after:    map[string]string{"f": "new"},
		harmless: unreadable},
	{what: "resumed and replaced", way: replacing, before: map[string]string{"f": "old"},
		name: "f", data: "contents", left: "cont",
		after:    map[string]string{"f": "contents"},
		harmless: append([]string{"close f", "close P again"}, unreadable...)},
	{what: "too long", name: "f", data: "new", left: "newer",
		after:    map[string]string{"f": "new"},
		harmless: append([]string{"close P"}, unreadable...)},
	{what: "restarted", name: "f", data: "contents", left: "CONT",
		after:    map[string]string{"f": "contents"},
		harmless: append([]string{"close P"}, unreadable...)},
	{what: "restarted and large", name: "f", data: longer, left: "CONT",
		after:    map[string]string{"f": longer},
		harmless: append([]string{"close P"}, unreadable...)},
	{what: "grown", before: map[string]string{"a/f": longer[:small]}, name: "a/f", data: longer,
		after:    map[string]string{"a/f": longer[:small], "a/f (2)": longer},
		harmless: []string{"close a/f"}},
	{what: "grown and cloned", clones: true, before: map[string]string{"f": longer[:small]}, name: "f", data: longer,
		after:    map[string]string{"f": longer[:small], "f (2)": longer},
		harmless: []string{"close f"}},
	{what: "grown and replaced", way: replacing, before: map[string]string{"f": longer[:small]}, name: "f", data: longer,
		after:    map[string]string{"f": longer},
		harmless: []string{"close f"}},
	{what: "not grown", before: map[string]string{"f": "CONT" + longer[4:small]}, name: "f", data: longer,
		after:    map[string]string{"f": "CONT" + longer[4:small], "f (2)": longer},
		harmless: []string{"close f"}},
	{what: "grown and suspended", before: map[string]string{"f": longer[:small]}, name: "f", data: longer + "and more", suspend: len(longer),
		after:    map[string]string{"f": longer[:small], "f (2)": longer + "and more"},
		harmless: append([]string{"close f"}, unreadable...)},
	{what: "grown, not durable", young: true, before: map[string]string{"f": longer[:small]}, name: "f", data: longer,
		after:    map[string]string{"f": longer[:small], "f (2)": longer},
		harmless: []string{"close f"}},
	{what: "suspended", name: "f", data: "contents", suspend: 4,
		after:    map[string]string{"f": "contents"},
		harmless: unreadable},
	{what: "suspended and large", name: "f", data: longer, suspend: small / 2,
		after:    map[string]string{"f": longer},
		harmless: unreadable},
}

// inEveryWay is what of the scenarios there is, in every way that they can be
// done.
func inEveryWay(t *testing.T, test func(*testing.T, scenario)) {
	for _, s := range scenarios {
		for _, v := range []way{alone, linked, batched, unnamed, unnamed | batched} {
			if v&unnamed != 0 && (s.left != "" || s.suspend > 0) {
				continue // what can be resumed has a name
			}
			s := s
			s.noID = s.noID || v&unnamed != 0
			s.way |= v
			t.Run(strings.TrimSpace(fmt.Sprintf("%s %v", s.what, s.way)), func(t *testing.T) { test(t, s) })
		}
	}
}

// open opens a fresh store in dir with what the upload finds there.
func (s scenario) open(t *testing.T, folder string) (*Store, *watch) {
	d, w := s.way.watch(t, folder)
	for _, name := range slices.Sorted(maps.Keys(s.before)) {
		mustUpload(t, d, name, s.before[name])
		if err := os.Chtimes(filepath.Join(folder, filepath.FromSlash(name)), longAgo, longAgo); s.quick && err != nil {
			t.Fatal(err)
		}
	}
	if s.left != "" {
		leave(t, d, "id", s.left)
	}
	w.taken()
	w.clones = s.clones
	return d, w
}

var longAgo = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)

// upload does what a client and its server do.
func (s scenario) upload(d *Store) (r storage.Receipt, err error) {
	file := storage.File{
		Name:    s.name,
		ID:      "id",
		Size:    int64(len(s.data)),
		ModTime: longAgo,
		Digest:  crc,
		Proofs:  proofs,
		Quick:   s.quick,
		Check:   s.check,
	}
	if s.noID {
		file.ID = ""
	}
	if s.noProof {
		file.Proofs = nil
	}
	if s.told {
		proof := sha256.Sum256([]byte(s.data))
		file.Contents = storage.Proof{Digest: proofs[0], Sum: proof[:]}
	}
	p, err := d.Create(context.Background(), file)
	if err != nil {
		return storage.Receipt{}, err
	}
	defer func() {
		if err != nil {
			p.Suspend()
		}
	}()
	if p.Offer().Agreed { // the client sends nothing
		return p.Commit(context.Background(), storage.Sum{Size: file.Size})
	}
	at := int(p.Offer().Size)
	if proof := sha256.Sum256([]byte(s.data[:at])); at > 0 && !bytes.Equal(proof[:], p.Offer().Proof) {
		if err := p.Restart(); err != nil {
			return storage.Receipt{}, err
		}
		at = 0
	}
	if at < s.suspend {
		if _, err := p.ReadFrom(strings.NewReader(s.data[at:s.suspend])); err != nil {
			return storage.Receipt{}, err
		}
		if err := p.Suspend(); err != nil {
			return storage.Receipt{}, err
		}
		s.suspend = 0
		return s.upload(d)
	}
	if _, err := p.ReadFrom(strings.NewReader(s.data[at:])); err != nil {
		return storage.Receipt{}, err
	}
	return p.Commit(context.Background(), storage.Sum{Size: file.Size, Digest: sumOf(s.data)})
}

func sumOf(data string) []byte {
	h := crc.New()
	io.WriteString(h, data)
	return h.Sum(nil)
}

// tree returns the contents of what is visible; a folder's name ends in a slash.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	fsys := os.DirFS(folder)
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case name == hidden:
			return fs.SkipDir
		case e.IsDir():
			seen[name+"/"] = ""
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		seen[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// files is tree without folders.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	seen := tree(t, folder)
	maps.DeleteFunc(seen, func(name, _ string) bool { return strings.HasSuffix(name, "/") })
	return seen
}

// hiddenIn lists the hidden folder without the lock: the partial of the ID id,
// if any, and the rest.
func hiddenIn(t *testing.T, folder string) (left fs.FileInfo, rest []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(folder, hidden))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch name := path.Join(hidden, e.Name()); name {
		case partialPath(storage.File{ID: "id"}):
			if left, err = e.Info(); err != nil {
				t.Fatal(err)
			}
		case path.Join(hidden, lockName):
		default:
			rest = append(rest, e.Name())
		}
	}
	return left, rest
}
