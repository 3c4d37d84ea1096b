package dir

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labnet/labnet/storage"
)

// A watch is a filesystem that writes down its calls ("move P a/f") and asks
// before each whether it is to fail. Partials are called P, or P again when
// they are open to be compared, and what they replace is P.old.
type watch struct {
	filesystem
	before  func(call string) error
	try     func(written func()) error // nil for the real one
	noMove  bool                       // there are only hard links
	clones  bool                       // files can share blocks
	letters map[string]string          // other names for partials than P, by path

	mu     sync.Mutex
	calls  []string
	mortal bool // the process dies
	lives  int  // for so many calls
}

// watchDir opens a store in dir and watches it.
func watchDir(t *testing.T, folder string, c storage.Conflict) (*Store, *watch) {
	t.Helper()
	root, err := openRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{filesystem: root, before: func(string) error { return nil }}
	d, err := newStore(folder, root, w, Options{OnConflict: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Close()
		if d.space.promised != 0 {
			t.Errorf("%d bytes are promised to nobody", d.space.promised)
		}
	})
	d.batch.patience = time.Hour // whatever else the machine does
	w.taken()
	return d, w
}

func (w *watch) call(op string, names ...string) error {
	for i, name := range names {
		if folder, base := path.Split(name); folder == hidden+"/" {
			first, again, _ := strings.Cut(name, " ")
			switch {
			case w.letters[first] != "":
				names[i] = strings.Replace(name, first, w.letters[first], 1)
			case again != "":
				names[i] = "P " + again
			case strings.HasSuffix(base, ".old"):
				names[i] = "P.old"
			case base != lockName:
				names[i] = "P"
			}
		}
	}
	call := strings.Join(append([]string{op}, names...), " ")
	w.mu.Lock()
	w.calls = append(w.calls, call)
	dead := w.mortal && len(w.calls) > w.lives
	w.mu.Unlock()
	if dead {
		return errDead
	}
	return w.before(call)
}

// taken returns the calls since it was called last.
func (w *watch) taken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

func (w *watch) Lstat(name string) (fs.FileInfo, error) {
	if err := w.call("lstat", name); err != nil {
		return nil, err
	}
	return w.filesystem.Lstat(name)
}

func (w *watch) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	op := "open"
	if flag&os.O_CREATE != 0 {
		op = "create"
	}
	if err := w.call(op, name); err != nil {
		return nil, err
	}
	f, err := w.filesystem.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	if op == "open" && path.Dir(name) == hidden && flag == os.O_RDONLY {
		name += " again"
	}
	return &watchedFile{f, w, name}, nil
}

func (w *watch) CreateNameless(folder string, perm fs.FileMode) (file, error) {
	if err := w.call("nameless"); err != nil {
		return nil, err
	}
	f, err := w.filesystem.CreateNameless(folder, perm)
	if err != nil {
		return nil, err
	}
	return &watchedFile{f, w, "P"}, nil
}

func (w *watch) Chtimes(name string, mtime time.Time) error {
	if err := w.call("chtimes", name); err != nil {
		return err
	}
	return w.filesystem.Chtimes(name, mtime)
}

func (w *watch) Mkdir(name string, perm fs.FileMode) error {
	if err := w.call("mkdir", name); err != nil {
		return err
	}
	return w.filesystem.Mkdir(name, perm)
}

func (w *watch) Link(oldname, newname string) error {
	if err := w.call("link", oldname, newname); err != nil {
		return err
	}
	return w.filesystem.Link(oldname, newname)
}

// Move does in two steps what cannot be done in one on this system.
func (w *watch) Move(oldname, newname string) error {
	if w.noMove {
		return errors.ErrUnsupported
	}
	if err := w.call("move", oldname, newname); err != nil {
		return err
	}
	err := w.filesystem.Move(oldname, newname)
	if errors.Is(err, errors.ErrUnsupported) {
		if err = w.filesystem.Link(oldname, newname); err == nil {
			err = w.filesystem.Remove(oldname)
		}
	}
	return err
}

// SyncAll only says so: here no power is cut, and a disk is slow.
func (w *watch) SyncAll() error { return w.call("syncfs") }

func (w *watch) Try(written func()) error {
	if w.try != nil {
		return w.try(written)
	}
	if err := w.before("try"); err != nil {
		return err
	}
	return w.filesystem.Try(written)
}

func (w *watch) Rename(oldname, newname string) error {
	if err := w.call("rename", oldname, newname); err != nil {
		return err
	}
	return w.filesystem.Rename(oldname, newname)
}

func (w *watch) Remove(name string) error {
	if err := w.call("remove", name); err != nil {
		return err
	}
	return w.filesystem.Remove(name)
}

type watchedFile struct {
	file
	watch *watch
	name  string
}

func (f *watchedFile) Read(b []byte) (int, error) {
	if err := f.watch.call("read", f.name); err != nil {
		return 0, err
	}
	return f.file.Read(b)
}

func (f *watchedFile) ReadAt(b []byte, off int64) (int, error) {
	name := f.name
	if name == "P" { // another time than to resume it
		name = "P again"
	}
	if err := f.watch.call("read", name); err != nil {
		return 0, err
	}
	return f.file.ReadAt(b, off)
}

// Write, when it is to fail, writes a half, unless the process is dead.
func (f *watchedFile) Write(b []byte) (int, error) {
	if err := f.watch.call("write", f.name); err != nil {
		if err == errDead {
			return 0, err
		}
		n, _ := f.file.Write(b[:len(b)/2])
		if err == errShort {
			err = nil
		}
		return n, err
	}
	return f.file.Write(b)
}

var (
	// errShort asks Write for a short write without an error.
	errShort = errors.New("short write")
	// errDead is what every call of a store answers whose process has died.
	errDead = errors.New("the process is dead")
)

func (f *watchedFile) Stat() (fs.FileInfo, error) {
	if err := f.watch.call("stat", f.name); err != nil {
		return nil, err
	}
	return f.file.Stat()
}

func (f *watchedFile) Links() (uint64, error) {
	if err := f.watch.call("links", f.name); err != nil {
		return 0, err
	}
	return f.file.Links()
}

func (f *watchedFile) Truncate(size int64) error {
	if err := f.watch.call("truncate", f.name); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *watchedFile) SetAttribute(name, value string) error {
	if err := f.watch.call("attribute", f.name); err != nil {
		return err
	}
	return f.file.SetAttribute(name, value)
}

func (f *watchedFile) Attribute(name string) (string, error) {
	if err := f.watch.call("noted", f.name); err != nil {
		return "", err
	}
	return f.file.Attribute(name)
}

func (f *watchedFile) Chmod(mode fs.FileMode) error {
	if err := f.watch.call("chmod", f.name); err != nil {
		return err
	}
	return f.file.Chmod(mode)
}

func (f *watchedFile) SetModTime(t time.Time) error {
	if err := f.watch.call("modtime", f.name); err != nil {
		return err
	}
	return f.file.SetModTime(t)
}

func (f *watchedFile) Link(name string) error {
	if err := f.watch.call("name", f.name, name); err != nil {
		return err
	}
	return f.file.Link(name)
}

func (f *watchedFile) Allocate(size int64) error {
	if err := f.watch.call("allocate", f.name); err != nil {
		return err
	}
	return f.file.Allocate(size)
}

// CloneFrom copies, where it says that blocks can be shared.
func (f *watchedFile) CloneFrom(other file) error {
	o := other.(*watchedFile)
	if err := f.watch.call("clone", o.name, f.name); err != nil {
		return err
	}
	if !f.watch.clones {
		return errors.ErrUnsupported
	}
	_, err := io.Copy(f.file, io.NewSectionReader(o.file, 0, 1<<40))
	return errors.Join(err, f.rewind())
}

// rewind goes to the beginning, where the clone of a file is written next.
func (f *watchedFile) rewind() error {
	_, err := f.file.Seek(0, io.SeekStart)
	return err
}

func (f *watchedFile) WriteOut(_, _ int64) error { return f.watch.call("writeout", f.name) }

// Sync only says so, like SyncAll.
func (f *watchedFile) Sync() error { return f.watch.call("sync", f.name) }

// Close closes the file in any case, as close(2) does.
func (f *watchedFile) Close() error {
	err := f.watch.call("close", f.name)
	if cerr := f.file.Close(); err == nil {
		err = cerr
	}
	return err
}

var crc = storage.Digest{Name: "crc32c", New: func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }}

// proofs are those of a sender that believes SHA-256.
var proofs = []storage.Digest{{Name: "sha256", New: sha256.New}}

// upload stores a file with everything that costs a call.
func upload(d *Store, name, data string) (storage.Receipt, error) {
	p, err := d.Create(context.Background(), storage.File{
		Name:    name,
		Size:    int64(len(data)),
		ModTime: time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC),
		Digest:  crc,
	})
	if err != nil {
		return storage.Receipt{}, err
	}
	if _, err := p.ReadFrom(strings.NewReader(data)); err != nil {
		return storage.Receipt{}, errors.Join(err, p.Abort())
	}
	return p.Commit(context.Background(), storage.Sum{Size: int64(len(data))})
}
