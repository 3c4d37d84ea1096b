package commands_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// A model is what TestModel expects of a server and its store, in the words of
// their documentation: what is visible, and what interrupted uploads have left.
type model struct {
	policy  storage.Conflict
	files   map[string][]byte
	folders map[string]bool
	left    map[string][]byte // by ID
	leftBy  map[string]order
	open    []*sending                 // accepted and not yet ended, in the order of acceptance
	puts    map[string]int             // how often a file got that name, or something was done to it
	noted   map[string]map[string]bool // by which digests it is noted what has a name
	// notes tells whether there are such notes.
	notes bool
	// loses, if set, tells what else the store cannot continue with.
	loses func(left, now order) bool
	// createsLate tells whether nothing is there of a small file before its contents come.
	createsLate bool
}

func newModel(policy string) model {
	conflict, err := storage.ParseConflict(policy)
	if err != nil {
		panic(err)
	}
	return model{
		policy: conflict, files: map[string][]byte{}, folders: map[string]bool{},
		left: map[string][]byte{}, leftBy: map[string]order{}, puts: map[string]int{}, noted: map[string]map[string]bool{},
	}
}

// A contents is so many bytes that a counterexample can be read with: "A×100".
type contents struct {
	letter byte
	size   int
}

// Every letter is a stream of bytes of its own, so that a byte in the wrong
// place shows. C begins like A: a file that was changed behind its beginning.
var streams = func() map[byte][]byte {
	m := map[byte][]byte{}
	for _, letter := range []byte("ABC") {
		m[letter] = make([]byte, 1<<20+100)
		rand.NewChaCha8([32]byte{letter}).Read(m[letter])
	}
	copy(m['C'], m['A'][:7])
	return m
}()

func (c contents) bytes() []byte    { return streams[c.letter][:c.size:c.size] }
func (c contents) GoString() string { return fmt.Sprintf("%c×%d", c.letter, c.size) }

// letterOf tells of which stream b is, or 0.
func letterOf(b []byte) byte {
	for _, letter := range []byte("ABC") {
		if len(b) <= len(streams[letter]) && bytes.Equal(b, contents{letter, len(b)}.bytes()) {
			return letter
		}
	}
	return 0
}

// nameOf is the reverse of contents.bytes.
func nameOf(b []byte) string {
	if letter := letterOf(b); letter != 0 {
		return contents{letter, len(b)}.GoString()
	}
	return fmt.Sprintf("%d other bytes", len(b))
}

// A word is a text that is shortened where it is printed.
type word string

func (w word) GoString() string { return fmt.Sprintf("%.40q", string(w)) }

// What becomes of the source of an upload while it is sent.
const (
	whole   = "" // it is what was announced
	fails   = "fails"
	shrinks = "ends a byte early"
	grows   = "goes on for a byte"
)

// An order is what a client is told to send.
type order struct {
	blob     bool
	name     string
	contents contents
	id       string
	proves   bool // can compare proofs, as all can who give an ID
	tells    bool // tells the proof of its contents in advance
	stream   bool
	digest   string
	source   string
}

func (o order) GoString() string {
	s := fmt.Sprintf("%.40q %#v", o.name, o.contents)
	if o.blob {
		s = fmt.Sprintf("blob %#v", o.contents)
	}
	for _, detail := range []struct {
		is   bool
		text string
	}{
		{o.id != "", " id=" + o.id}, {o.proves, " proves"}, {o.tells, " tells"}, {o.stream, " stream"}, {o.digest == "sha256", " sha256"},
		{o.source != whole, ", the source " + o.source},
	} {
		if detail.is {
			s += detail.text
		}
	}
	return s
}

// size is what is announced.
func (o order) size() int {
	switch {
	case o.stream:
		return -1
	case o.source == shrinks:
		return o.contents.size + 1
	case o.source == grows:
		return o.contents.size - 1
	}
	return o.contents.size
}

func (o order) announcement() wire.Announcement {
	digest, _ := wire.DigestByName(o.digest)
	a := wire.Announcement{Name: o.name, ID: o.id, Size: int64(o.size()), Digest: digest}
	if o.proves {
		a.Proofs = wire.Proofs()
	}
	if o.tells {
		a.Tell(o.contents.bytes())
	}
	return a
}

// sum is what a server must tell of the contents.
func (o order) sum() wire.Sum {
	h := o.announcement().Digest.New()
	h.Write(o.contents.bytes())
	return wire.Sum{Size: int64(o.contents.size), Digest: h.Sum(nil)}
}

// resumable reports whether the server keeps what arrived if the connection ends.
func (o order) resumable() bool { return o.id != "" && !o.stream }

// A sending is a blob or an upload as the model sees it.
type sending struct {
	order
	on any // which connection

	announced  bool
	offered    []byte // what the server had of it
	has        []byte // the same, unless it was dropped since
	original   string // the file that this is, unless it was dropped since
	shorter    string // the file that this begins with, likewise or until more has come
	put        int    // how often either had been put there
	got        int    // bytes that came behind has
	superseded bool

	// What the client must be told, once it is over.
	over  bool
	code  wire.Code
	saved wire.Saved
}

// announce begins an upload and ends another connection's of the same ID.
func (m *model) announce(s *sending) {
	s.announced = true
	for _, o := range slices.Clone(m.open) {
		if s.id != "" && o.id == s.id && o.on == s.on {
			s.over, s.code = true, wire.CodeInUse
			return
		}
		if s.id != "" && o.id == s.id {
			m.leave(o, false)
			o.superseded = true
		}
	}
	if s.code = m.collision(s.order); s.code != "" {
		s.over = true
		return
	}
	m.offer(s)
	if s.tells && s.original != "" {
		s.over, s.saved = true, wire.Saved{Name: s.original, Sum: s.sum(), Unchanged: true}
		m.note(s.original, s.order)
		return
	}
	m.open = append(m.open, s)
}

// collision returns why an announcement is refused, or "".
func (m *model) collision(o order) wire.Code {
	if slices.Contains(hostileNames, word(o.name)) {
		return wire.CodeName
	}
	for _, folder := range foldersAbove(o.name) {
		if m.files[folder] != nil {
			return wire.CodeName
		}
	}
	file := m.files[o.name]
	switch {
	case m.folders[o.name]:
		return wire.CodeName
	case m.policy == storage.Refuse && file != nil && !o.stream && len(file) != o.size():
		return wire.CodeExists
	}
	return ""
}

// offer finds out what an earlier upload of the ID has left, or which file may be the
// same. What nobody could continue with is gone.
func (m *model) offer(s *sending) {
	lost := m.loses != nil && m.left[s.id] != nil && m.loses(m.leftBy[s.id], s.order)
	if !s.resumable() || len(m.left[s.id]) > s.size() || lost {
		delete(m.left, s.id)
	}
	s.offered = m.left[s.id]
	if len(s.offered) == 0 {
		m.findOriginal(s)
	}
	s.has = s.offered
}

// findOriginal looks for a file of the contents that the client tells, or else for
// the last of the right size.
func (m *model) findOriginal(s *sending) {
	if s.blob || s.name == "" || !s.tells && (s.size() == 0 || s.id == "" && !s.proves) {
		return
	}
	for n := 1; n == 1 || m.policy == storage.Rename; n++ {
		name := storage.NumberedName(s.name, n)
		file, there := m.files[name]
		if !there && !m.folders[name] {
			return
		}
		if !s.tells && s.original == "" && len(file) >= worthContinuing && len(file) < s.size() && len(file) >= len(s.offered) {
			s.shorter, s.put, s.offered = name, m.puts[name], file
		}
		if !there || len(file) != s.size() || s.tells && !bytes.Equal(file, s.contents.bytes()) {
			continue
		}
		s.original, s.shorter, s.put, s.offered = name, "", m.puts[name], file
		if s.tells {
			return
		}
	}
}

// worthContinuing is the least size of a file that is continued.
const worthContinuing = 64 << 10

// arrive follows the contents that have come by now: they belong behind a copy of the
// shorter file, if that is still the same.
func (m *model) arrive(s *sending) {
	if s.shorter == "" || s.got == 0 {
		return
	}
	if s.put != m.puts[s.shorter] {
		m.drop(s)
		s.code = wire.CodeMismatch
	}
	s.shorter = ""
}

// right reports whether the client can continue with what it is offered.
func (s *sending) right() bool { return bytes.HasPrefix(s.contents.bytes(), s.offered) }

// restart drops what the server had.
func (s *sending) restart() { s.has, s.original, s.shorter = nil, "", "" }

// received is all that the server has of the file.
func (s *sending) received() []byte {
	rest := s.contents.bytes()
	return slices.Concat(s.has, rest[min(len(s.has), len(rest)):][:s.got])
}

// leave ends a connection, or the server, in the middle of an upload. Who is
// killed cannot put away what nobody could resume.
func (m *model) leave(s *sending, killed bool) {
	if m.arrive(s); s.over {
		return
	}
	m.drop(s)
	keeps := s.resumable() || killed && s.id != ""
	if b := s.received(); keeps && len(b) > 0 && s.original == "" && s.shorter == "" {
		m.left[s.id], m.leftBy[s.id] = b, s.order
	}
}

// drop ends an upload for good.
func (m *model) drop(s *sending) {
	s.over = true
	delete(m.left, s.id)
	m.open = slices.DeleteFunc(m.open, func(o *sending) bool { return o == s })
}

// cancel ends an upload because the client wants it.
func (m *model) cancel(s *sending) {
	m.drop(s)
	s.code = wire.CodeCancelled
}

// commit ends an upload of which everything came, or not what END said. The
// server tells the name that it made, if it was asked for one.
func (m *model) commit(s *sending, good bool, made string) {
	if m.arrive(s); s.over {
		return
	}
	m.drop(s)
	s.saved = wire.Saved{Name: s.name, Sum: s.sum(), Resumed: int64(len(s.has))}
	switch {
	case !good, s.original != "" && s.put != m.puts[s.original]:
		s.code = wire.CodeMismatch
	case s.original != "":
		s.saved.Name, s.saved.Unchanged = s.original, true
		m.note(s.original, s.order)
	case s.name == "":
		s.saved.Name = made
		m.put(made, s.order)
	default:
		m.publish(s)
	}
	if s.saved.Unchanged {
		s.saved.Resumed = 0
	}
}

// publish gives a file its name, by the rules of conflict.
func (m *model) publish(s *sending) {
	for n := 1; ; n++ {
		name := storage.NumberedName(s.name, n)
		file := m.files[name]
		blocked := m.folders[name] || slices.ContainsFunc(foldersAbove(name), func(f string) bool { return m.files[f] != nil })
		s.saved.Name = name
		switch {
		case blocked:
			s.code = wire.CodeName
		case file == nil:
			m.put(name, s.order)
		case bytes.Equal(file, s.contents.bytes()):
			s.saved.Unchanged = true
			m.note(name, s.order)
		case m.policy == storage.Refuse:
			s.code = wire.CodeExists
		case m.policy == storage.Replace:
			m.put(name, s.order)
		default:
			continue
		}
		return
	}
}

func (m *model) put(name string, o order) {
	m.files[name] = o.contents.bytes()
	m.puts[name]++
	m.noted[name] = map[string]bool{cmp.Or(o.digest, wire.Digests()[0].Name): true}
	for _, folder := range foldersAbove(name) {
		m.folders[folder] = true
	}
}

// A meddling is what another program does to a file.
type meddling string

const (
	replaced   meddling = "replaced"
	removed    meddling = "removed"
	touched    meddling = "touched"
	madeFolder meddling = "made a folder"
	madeLink   meddling = "made a symlink"
)

// offeredNames lists the files that clients are offered now and that are still there.
func (m *model) offeredNames() (names []string) {
	for _, s := range m.open {
		for _, name := range []string{s.original, s.shorter} {
			if m.files[name] != nil && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// linkTarget is what a symlink leads to; no contents are as long.
const linkTarget = "nowhere at all"

// meddle follows what another program does to a file. What it was is offered no more.
func (m *model) meddle(name string, how meddling, b []byte) {
	switch how {
	case replaced:
		m.files[name] = b
	case removed:
		delete(m.files, name)
	case madeFolder:
		delete(m.files, name)
		m.folders[name] = true
	case madeLink:
		m.files[name] = []byte(linkTarget)
	}
	m.puts[name]++
	delete(m.noted, name)
}

// note follows what is noted of a file that is unchanged. That counts as something that was
// done to it, where such notes are kept with files.
func (m *model) note(name string, o order) {
	digest := cmp.Or(o.digest, wire.Digests()[0].Name)
	if m.notes && !m.noted[name][digest] {
		m.puts[name]++
	}
	if m.noted[name] == nil {
		m.noted[name] = map[string]bool{}
	}
	m.noted[name][digest] = true
}

// makeFolder returns why a folder is refused, or "".
func (m *model) makeFolder(name string) wire.Code {
	folders := append(foldersAbove(name), name)
	for _, folder := range folders {
		if m.files[folder] != nil || slices.Contains(hostileNames, word(name)) {
			return wire.CodeName
		}
	}
	for _, folder := range folders {
		m.folders[folder] = true
	}
	return ""
}

// foldersAbove lists the folders that lead to name, outermost first.
func foldersAbove(name string) (folders []string) {
	for i := range name {
		if name[i] == '/' {
			folders = append(folders, name[:i])
		}
	}
	return folders
}

// visible is what a walk of the store must see: files and, ending in a slash,
// folders.
func (m *model) visible() map[string][]byte {
	tree := map[string][]byte{}
	for name, file := range m.files {
		tree[name] = file
	}
	for name := range m.folders {
		tree[name+"/"] = nil
	}
	return tree
}

// hidden is what the store's own folder must hold, with nil for what cannot be
// known while it is written. Of uploads without an ID only the number is known.
func (m *model) hidden() (tree map[string][]byte, nameless int) {
	tree = map[string][]byte{"lock": nil}
	for id, b := range m.left {
		tree[partialOf(id)] = b
	}
	for _, s := range m.open {
		switch {
		case s.original != "", s.shorter != "", m.createsLate && s.isLate(): // nothing is created yet
		case s.id == "":
			nameless++
		default:
			tree[partialOf(s.id)] = nil
		}
	}
	return tree, nameless
}

// isLate reports whether nothing is created of an upload before all of it has come.
func (s *sending) isLate() bool {
	return s.id == "" && !s.stream && s.size() < worthContinuing && (s.got == 0 || s.got < s.contents.size)
}

// partialOf is the name of the file that an interrupted upload leaves.
func partialOf(id string) string {
	return fmt.Sprintf("%x.resumable", sha256.Sum256([]byte(id)))
}

// madeUp matches the names that are made by chance.
var madeUp = regexp.MustCompile(`\b[a-z0-9]{8}\.bin\b|\b[A-Z2-7]{26}\b`)

// readable replaces names that no person knows, and those made by chance: rapid
// shrinks only failures whose words are the same each time.
func readable(text string) string {
	for _, id := range ids {
		text = strings.ReplaceAll(text, partialOf(id), "what upload "+id+" left")
	}
	return madeUp.ReplaceAllString(text, "(made up)")
}

// compare describes how trees differ, one line each.
func compare(got, want map[string][]byte) string {
	var lines []string
	for name, b := range got {
		expected, known := want[name]
		switch {
		case !known:
			lines = append(lines, fmt.Sprintf("%s (%s) should not be there", readable(name), nameOf(b)))
		case expected != nil && !bytes.Equal(b, expected):
			lines = append(lines, fmt.Sprintf("%s is %s, want %s", readable(name), nameOf(b), nameOf(expected)))
		}
	}
	for name := range want {
		if _, there := got[name]; !there {
			lines = append(lines, readable(name)+" is missing")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
