package uploader

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

var (
	// ErrChanged means that a file was written to while it was sent.
	ErrChanged = problem.New("changed while it was read", "changed", "send it again when nothing writes to it")
	// errBadName means that no server can be told the name.
	errBadName = problem.New("its name cannot be sent", string(wire.CodeName), client.RenameHint)
	// errNoStreams is about the protocol of the course.
	errNoStreams = problem.New("the course's protocol has no files of unknown size", "unsupported", "")
	errNoCheck   = problem.New("a stream cannot be checked: it can be read only once", "unsupported", "name files or folders")
	errNoFolders = problem.New("the course's protocol has no empty folders", "unsupported", "")
)

const (
	// MinResumable is the size in bytes from which a file is worth resuming:
	// below, it is sent sooner than the server could look for what it has of it.
	MinResumable = 1 << 20
	// MaxReadAhead is the most bytes of a file that is read before it is its
	// turn. Larger ones are only opened then, so that few are open at once.
	MaxReadAhead = 16 << 10
)

// An item is one thing that upload was told to send.
type item struct {
	file     string  // as the user knows it
	name     string  // for the server
	folder   bool    // an empty one
	stream   *stream // if it is one: it can be read once
	note     string  // why it is not sent, if that is no error
	hint     string  // what to do about that, or ""
	nested   bool    // in a folder that the user named
	excluded bool    // the user has said so, and need not be told
	// The permissions of the folders that lead to name, outermost first, as in
	// wire.Announcement.
	folders []fs.FileMode

	// What prepare finds out.
	announcement wire.Announcement
	info         fs.FileInfo
	contents     *contents // of a file that was read ahead
	held         int       // of their bytes, in the pipeline's sum
	err          error     // why it cannot be sent
	// unsized means that the system does not tell the file's length, although nobody
	// writes to it: the size is 0 in /proc, and that of a page in /sys.
	unsized bool

	// What becomes of it on a connection.
	named    bool // it is among the names that were announced
	transfer *wire.Transfer
	start    time.Time
	failure  error // for which it may go again
	reached  int64 // the most bytes that the server ever had before a try
}

// prepare looks at what is to be sent, and reads it if it is small.
func (u *Uploader) prepare(it *item) {
	a := wire.Announcement{Name: spelt(it.name, runtime.GOOS), Size: -1, Digest: u.Digest}
	if u.Check && it.stream != nil {
		it.err = cmp.Or(it.err, errNoCheck)
	}
	it.err = cmp.Or(it.err, checkName(a.Name))
	if !u.NoPerms {
		a.Folders = it.folders
	}
	if it.err == nil && it.note == "" && !it.folder && it.stream == nil {
		if u.Quick {
			it.err = it.lookOnly()
		} else {
			it.err = it.look()
		}
		if it.err == nil {
			a.Quick, a.Check = u.Quick, u.Check
			if !it.unsized {
				a.Size = it.info.Size()
				a.Holes = holes(it.info)
			}
			if it.contents != nil && (a.Size > 0 || u.Check) {
				a.Tell(it.contents.left)
			} else if a.Size > 0 {
				a.Proofs = wire.Proofs()
			}
			if a.Size >= MinResumable && !u.Check {
				a.ID = client.UploadID(it.file, it.name, it.info)
			}
			if !u.NoTimes {
				a.ModTime = it.info.ModTime()
			}
			if !u.NoPerms {
				a.Mode, a.HasMode = it.info.Mode().Perm(), true
			}
		}
	}
	it.announcement = a
}

// minHoles is how much of a file must be holes for the server to be told: what a
// filesystem needs for itself, or saves, is not worth it.
const minHoles = 1 << 20

// holes returns how many bytes of a file are in holes.
func holes(info fs.FileInfo) int64 {
	if n := info.Size() - allocated(info); n >= minHoles {
		return n
	}
	return 0
}

// spelt returns a name as servers are told it. On a Mac one name may be spelt in
// several ways, of which its programs like to store the one that is longest: what
// is sent is the usual one of other systems, NFC. Elsewhere names that are spelt
// in two ways are two, and are sent as they are.
func spelt(name, system string) string {
	if system == "darwin" {
		return norm.NFC.String(name)
	}
	return name
}

// checkName says why a name cannot be sent to any server, if so. Which others are
// refused, the server knows.
func checkName(name string) error {
	switch {
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not valid UTF-8", errBadName, name)
	case strings.Contains(name, "\x00"):
		return fmt.Errorf("%w: %q has a NUL byte", errBadName, name)
	case len(name) > wire.MaxName:
		return fmt.Errorf("%w: it has %d bytes, and %d is the limit", errBadName, len(name), wire.MaxName)
	}
	return nil
}

// look finds out about a regular file, and reads it if it is small.
func (it *item) look() error {
	f, err := storage.OpenFile(it.file)
	if err != nil {
		return err
	}
	defer f.Close()
	if it.info, err = f.Stat(); err != nil {
		return err
	}
	if !it.info.Mode().IsRegular() {
		return errKind
	}
	it.contents, it.unsized = nil, false
	size := it.info.Size()
	if size > MaxReadAhead {
		return nil
	}
	it.contents = newContents(size)
	unsized := false
	_, err = io.ReadFull(f, it.contents.left)
	switch {
	case err == nil && size == 0:
		var n int
		n, err = f.Read(make([]byte, 1))
		unsized = n > 0
		if err == io.EOF {
			err = nil
		}
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		unsized, err = true, nil
	}
	if err == nil {
		err = (&steadyFile{f, it.info}).check()
	}
	if unsized && err == nil {
		it.contents.Close()
		it.contents, it.unsized = nil, true
	}
	return err
}

// lookOnly is look for a file that may not have to be read. Whether the system tells
// its length can be seen from those that seem to be empty only.
func (it *item) lookOnly() error {
	info, err := os.Stat(it.file)
	if err != nil {
		return err
	}
	if info.Size() == 0 || !info.Mode().IsRegular() {
		return it.look()
	}
	it.info, it.contents, it.unsized = info, nil, false
	return nil
}

// open opens a regular file, which must still be the one that was looked at.
func (it *item) open() (*steadyFile, error) {
	f, err := storage.OpenFile(it.file)
	if err != nil {
		return nil, err
	}
	steady := &steadyFile{f, it.info}
	if it.unsized { // the system may have made it again, as another file
		steady.before, err = f.Stat()
		if err == nil && !steady.before.Mode().IsRegular() {
			err = errKind
		}
	} else {
		err = steady.check()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return steady, nil
}

// source is what is sent of a file or stream. The caller must close it.
func (it *item) source() io.ReadCloser {
	switch {
	case it.stream != nil:
		return it.stream
	case it.contents != nil:
		return it.contents
	}
	f, err := it.open()
	if err != nil {
		return failing{err}
	}
	return f
}

// contents are those of a small file. They can be read once: Close gives their
// buffer to others.
type contents struct {
	buffer *buffer // nil once closed
	left   []byte
}

// A buffer is a multiple of bufferUnit long.
type buffer struct{ bytes []byte }

const bufferUnit = 4 << 10

// buffers holds those that are free, by how many units they have.
var buffers [MaxReadAhead/bufferUnit + 1]sync.Pool

func newContents(size int64) *contents {
	units := (size + bufferUnit - 1) / bufferUnit
	r, ok := buffers[units].Get().(*buffer)
	if !ok {
		r = &buffer{make([]byte, units*bufferUnit)}
	}
	return &contents{r, r.bytes[:size]}
}

func (c *contents) Read(p []byte) (n int, err error) {
	n = copy(p, c.left)
	if c.left = c.left[n:]; len(c.left) == 0 {
		err = io.EOF
	}
	return n, err
}

func (c *contents) Close() error {
	if c.buffer != nil {
		buffers[len(c.buffer.bytes)/bufferUnit].Put(c.buffer)
		c.buffer, c.left = nil, nil
	}
	return nil
}

// failing is the source of a file that cannot be read after all.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error)       { return 0, f.err }
func (f failing) Seek(int64, int) (int64, error) { return 0, f.err }
func (f failing) Close() error                   { return nil }

// label is what people know an item by.
func (it *item) label() string {
	if it.stream != nil && it.file == "-" && it.name != "" {
		return it.name
	}
	return it.file
}

// object is what is printed of an item.
func (u *Uploader) object(it *item) terminal.Object {
	op := "upload"
	switch {
	case u.Check:
		op = "compare"
	case it.folder:
		op = "folder"
	}
	return terminal.Object{Op: op, Addr: u.Addr}.AboutFile(it.file)
}

// labSend sends one item in the lab dialect, and notes its outcome. Its error
// ends all.
func (u *Uploader) labSend(ctx context.Context, it *item, names *coincidence) error {
	if it.note != "" {
		u.skip(it)
		return nil
	}
	return u.count(ctx, it, u.labUpload(ctx, it, names))
}

// skip tells that an item is left out.
func (u *Uploader) skip(it *item) {
	u.nested = u.nested || it.nested
	u.Con.Skip(u.object(it), it.note, it.hint, it.excluded)
}

func (u *Uploader) labUpload(ctx context.Context, it *item, names *coincidence) error {
	u.prepare(it)
	switch {
	case it.folder:
		return errNoFolders
	case it.err != nil:
		return it.err
	case it.announcement.Size < 0:
		return errNoStreams
	case names.announce(it) == wire.ReplaceNone:
		return errCoincides
	}
	a := it.announcement
	r := u.Con.Meter.Measure(it.label(), a.Size, it.source(), nil)
	defer r.Close()
	it.start = time.Now()
	err := u.LabDo(ctx, func(c *wire.LabClient) error { return c.Upload(ctx, a.Name, r, a.Size) })
	if err != nil {
		return err
	}
	done := u.object(it)
	done.Name, done.Size, done.Unconfirmed = a.Name, &a.Size, true
	u.sent(it, done, "", terminal.Unconfirmed, false)
	return nil
}

// print shows that an item was kept.
func (u *Uploader) print(it *item, saved wire.Saved) {
	done := u.object(it)
	if it.folder {
		done.Name = saved.Name
		if u.brief && it.nested {
			u.Con.Done(done)
		} else {
			u.Con.Result(done, "%s  empty folder", escape.Name(it.file+string(os.PathSeparator)))
		}
		return
	}
	digest, sum := it.announcement.Digest.Name, saved.Hex()
	known := digest + ":" + sum
	if sum == "" { // it was not read
		digest, known = "", ""
	}
	done.Name, done.Size, done.Resumed, done.Unchanged = saved.Name, &saved.Size, saved.Resumed, saved.Unchanged
	done.Compared = string(saved.Compared)
	done = done.WithDigest(digest, sum)
	remark, remarkable := remarkOn(it.announcement, saved)
	u.sent(it, done, known, remark, remarkable)
	if it.stream != nil && it.stream.producer != nil && saved.Size == 0 {
		u.Con.Note("%s: the command wrote nothing; an empty file was kept", escape.Name(it.label()))
	}
}

// sent prints that a file was sent. If it is remarkable, it has a line in any case.
func (u *Uploader) sent(it *item, done terminal.Object, digest, remark string, remarkable bool) {
	took := time.Since(it.start)
	if u.brief && it.nested && !remarkable {
		u.Con.Done(done)
		return
	}
	label := it.label()
	if it.name == "" { // which the server has chosen
		label, remark = done.Name, ""
	}
	u.Con.Sent(done, label, digest, remark, took)
}

// remarkOn says what is special about a file that was kept, and whether that needs a
// look: of unchanged files there may be many, and the totals count them.
func remarkOn(a wire.Announcement, saved wire.Saved) (remark string, remarkable bool) {
	renamed := saved.Name != a.Name
	resumed := saved.Resumed > 0 && !saved.Unchanged
	var all []string
	switch {
	case saved.Compared == wire.ComparedTimes:
		all = append(all, "assumed unchanged")
	case saved.Unchanged:
		all = append(all, "unchanged")
	}
	if resumed {
		all = append(all, "resumed at "+terminal.Amount(saved.Resumed))
	}
	if renamed {
		all = append(all, "kept as "+escape.Name(saved.Name))
	}
	return strings.Join(all, ", "), resumed || renamed
}

// A steadyFile reads a file, and fails in place of its end if it was written
// to meanwhile.
type steadyFile struct {
	*os.File
	before fs.FileInfo
}

func (f *steadyFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if err == io.EOF {
		if changed := f.check(); changed != nil {
			err = changed
		}
	}
	return n, err
}

func (f *steadyFile) check() error {
	now, err := f.Stat()
	if err == nil && (now.Size() != f.before.Size() || !now.ModTime().Equal(f.before.ModTime()) || !os.SameFile(now, f.before)) {
		err = ErrChanged
	}
	return err
}

// resumedAt returns, while the item is sent, how much of it the server has from
// an earlier upload.
func (it *item) resumedAt() int64 {
	if it.transfer == nil {
		return 0
	}
	return it.transfer.Resumed()
}
