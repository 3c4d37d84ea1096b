// Package dir has a store that keeps files in a directory, each under its own name.
//
// What has not reached its name yet is in the hidden folder .labnet of the same
// filesystem, or has no name at all. Commit makes the contents durable, links or renames
// them to their name, which never takes a name that exists, and makes the name durable.
// Files that arrive together are made durable together (batch). All is opened relative
// to the directory, and no symbolic link leads out of it.
//
// All calls of the operating system are methods of filesystem and file, so that tests
// can let any of them fail; what differs between systems is in os_*.go.
package dir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/labnet/labnet/storage"
)

// hidden is the folder that holds partials and the lock.
const (
	hidden   = storage.Hidden
	lockName = "lock"
)

// Options are the choices of [Open]; the zero value is usable.
type Options struct {
	// OnConflict says what becomes of a file whose name is taken.
	OnConflict storage.Conflict
	// Names says which names are accepted.
	Names storage.Names
	// Partials bounds what interrupted uploads leave.
	Partials storage.Bounds
	// KeepFree is how many bytes of the disk stay free: an upload that would
	// leave less is refused with ErrNoSpace, before its bytes are taken or, if
	// its size is unknown, as soon as it has too many. What others write is
	// seen up to a second late. Zero stands for DefaultKeepFree, less than zero
	// for none. Linux, macOS, FreeBSD and Windows tell what is free.
	KeepFree int64
	// FileMode holds the permissions of all files that are kept, whatever their
	// senders say and the umask is, and folders have those and may be searched by
	// those who may read. Zero leaves it to senders.
	FileMode fs.FileMode
	// Group is the group that files and folders are given; nil stands for the
	// one that they have by themselves. If it cannot be given, Open fails.
	Group *int
	// Note is told, once of each kind, what the filesystem does not do although
	// files are kept without it, and why; nil tells nobody.
	Note func(what string, err error)
	// Synced is told how long each fsync and syncfs has taken; nil tells nobody.
	Synced func(took time.Duration)
	// Foreign names files in the hidden folder that are the caller's own, which
	// Open leaves alone. See Hidden.
	Foreign []string
}

// A Store is a [storage.Store] that keeps files in a directory, each under its own name.
//
// The digest of each is in the extended attribute user.labnet.<name of the
// digest>, in lower-case hexadecimal, where the filesystem has such.
//
// Whoever else writes to the directory may do so: what was not uploaded is
// never lost by accident, and symlinks are not followed out of it. Only one
// thing cannot be seen: a folder that another process removes and makes again
// is taken for the old one, whose name was durable.
type Store struct {
	path  string
	fs    *gate
	os    *osFilesystem // below fs
	lock  *os.File
	umask fs.FileMode

	onConflict storage.Conflict
	names      storage.Names
	bounds     storage.Bounds
	foreign    []string
	keepFree   int64
	fileMode   fs.FileMode
	group      *int
	notes      notes

	publishing *storage.NameLocks
	counting   chan struct{} // full while maxCounts of Usage run
	comparing  storage.Turns // of large files
	folders    folders
	space      space
	places     places
	batch      batch
	// While so many files are in progress, those who join them have no name
	// before their own; 0 for never.
	namelessFrom int
	nameless     atomic.Int32 // how many have none

	failure  atomic.Pointer[error]
	presence presence
	trial    trial

	closing chan struct{} // closed by Close, under mu
	expirer sync.WaitGroup

	mu       sync.Mutex
	partials map[string]*partial // being written, by path
	left     map[string]leftover // left by uploads, by path
}

// Open opens the store in the directory dir, which it makes if need be, and
// removes what an earlier process left unfinished there, except for uploads that
// can be resumed and have not expired. A store is open once
// at a time: while another process has it, Open fails with ErrLocked.
//
// The filesystem must have hard links. Where it can be relied on (ext4, XFS and
// btrfs on Linux 5.8 or newer), many files that are committed at once are made
// durable together by syncfs, which writes out what others have written to the
// same filesystem, too. Open reads the process's umask, on
// Unix by setting it for a moment.
func Open(dir string, o Options) (*Store, error) {
	d, err := openStore(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", dir, err)
	}
	return d, nil
}

func openStore(dir string, o Options) (*Store, error) {
	if err := makeRoot(dir); err != nil {
		return nil, err
	}
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	return newStore(dir, root, root, o)
}

// newStore opens the store in the directory dir, which is root, and makes its
// calls to filesystem. It takes root over.
func newStore(dir string, root *osFilesystem, filesystem filesystem, o Options) (_ *Store, err error) {
	d := &Store{
		path:       dir,
		fs:         newGate(filesystem),
		os:         root,
		umask:      umask(),
		onConflict: o.OnConflict,
		names:      o.Names,
		bounds:     o.Partials.WithDefaults(),
		foreign:    o.Foreign,
		notes:      notes{tell: o.Note},
		keepFree:   cmp.Or(o.KeepFree, DefaultKeepFree),
		fileMode:   o.FileMode.Perm(),
		group:      o.Group,
		publishing: storage.NewNameLocks(),
		counting:   make(chan struct{}, maxCounts),
		comparing:  storage.NewTurns(maxComparing),
		closing:    make(chan struct{}),
		partials:   make(map[string]*partial),
		left:       make(map[string]leftover),
	}
	d.fs.synced = o.Synced
	d.space = space{keep: d.keepFree, free: func() (freeSpace, error) { return d.fs.Free(".") }}
	defer func() {
		if err != nil {
			if d.lock != nil {
				d.lock.Close()
			}
			root.Close()
		}
	}()
	if d.lock, err = lockStore(root.hidden.Root); err != nil {
		return nil, err
	}
	if err := d.findPresence(); err != nil {
		return nil, err
	}
	if err := d.readLeftovers(time.Now()); err != nil {
		return nil, err
	}
	// A filesystem that cannot do what Commit needs is better found out now.
	if err := root.probe(); err != nil {
		return nil, err
	}
	d.findPlaces()
	if err := cmp.Or(d.probeGroup(), d.syncDir(".")); err != nil {
		return nil, err
	}
	d.batch.rounds.act = d.syncAll
	d.batch.patience = patience
	if canSyncAll(root.root.dir) {
		d.batch.from = batchFrom
		d.namelessFrom = batchFrom
		root.findNameless()
	}
	d.expirer.Go(d.expire)
	return d, nil
}

// openRoot opens the directory dir and makes its hidden folder if need be.
func openRoot(dir string) (*osFilesystem, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	err = root.Mkdir(hidden, 0o700)
	if err == nil || errors.Is(err, fs.ErrExist) {
		var fi fs.FileInfo
		if fi, err = root.Lstat(hidden); err == nil && !fi.IsDir() {
			err = fmt.Errorf("%s is not a directory", hidden)
		}
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return openFilesystem(root)
}

// Hidden returns the path of the hidden folder. Only the user that the process
// runs as reaches into it, and no upload does.
func (d *Store) Hidden() string { return HiddenIn(d.path) }

// HiddenIn returns the path of the hidden folder of the store in a directory.
func HiddenIn(dir string) string { return filepath.Join(dir, hidden) }

// Make makes the directory of a store if there is none, durably. Open makes what is in it.
func Make(dir string) error { return makeRoot(dir) }

// Create implements [Store]. On Linux it reserves the blocks of a file of known
// size, so that a disk that is too small is found out at once.
func (d *Store) Create(ctx context.Context, f storage.File) (storage.Partial, error) {
	placed, err := f.Placed(d.names, d.checkAlias)
	if err = cmp.Or(err, ctx.Err(), d.Err()); err != nil {
		return nil, err
	}
	if placed.Size < 0 || !canHaveHoles {
		placed.Holes = 0
	}
	p := &partial{
		dir:        d,
		file:       placed,
		onConflict: f.Conflict(d.onConflict),
		path:       partialPath(placed),
	}
	if f.Digest.New != nil {
		p.hash = f.Digest.New()
	}
	p.mu.Lock() // Close waits for it
	defer p.mu.Unlock()
	if err := d.enter(p); err != nil {
		return nil, fmt.Errorf("create %q: %w", p.file.Name, err)
	}
	if err := p.begin(ctx); err != nil {
		err = fmt.Errorf("create %q: %w", p.file.Name, p.explain(err))
		if !p.fresh || !errors.Is(err, storage.ErrNoSpace) || !p.compare(err) {
			p.end(!p.fresh)
			return nil, err
		}
	}
	return p, nil
}

// checkAlias fails with a *NameError if name leads into the hidden folder by a
// short name that the filesystem has for it.
func (d *Store) checkAlias(name string) error {
	top, _, _ := strings.Cut(name, "/")
	if !storage.MayAlias(top) {
		return nil
	}
	fi, err := d.fs.Lstat(top)
	if err != nil {
		return nil // it is not there
	}
	own, err := d.os.hidden.dir.Stat()
	if err == nil && os.SameFile(fi, own) {
		err = &storage.NameError{Name: name, Reason: storage.ReservedReason(top)}
	}
	return err
}

// enter makes p known, so that Close ends it and nobody else writes it.
func (d *Store) enter(p *partial) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isClosed() {
		return errClosed
	}
	if d.partials[p.path] != nil {
		return storage.ErrInUse
	}
	d.partials[p.path] = p
	n := len(d.partials)
	p.ofMany = p.file.ID == "" && d.namelessFrom > 0 && n >= d.namelessFrom
	return nil
}

func (d *Store) isClosed() bool {
	select {
	case <-d.closing:
		return true
	default:
		return false
	}
}

// Err implements [Store]. It reports up to a second late that the directory was
// removed or replaced; nothing is published there from the first moment on.
func (d *Store) Err() error { return cmp.Or(d.failed(), d.lookedFor()) }

// failed returns what fail was told first.
func (d *Store) failed() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Close implements [Store]. It waits for a Create or Commit in progress, but
// not for a ReadFrom that waits for its reader.
func (d *Store) Close() error {
	d.mu.Lock()
	if d.isClosed() {
		d.mu.Unlock()
		return nil
	}
	close(d.closing)
	open := maps.Clone(d.partials)
	d.mu.Unlock()

	d.endTrials()
	d.expirer.Wait()
	var errs []error
	for _, p := range open {
		errs = append(errs, p.Suspend())
	}
	return errors.Join(append(errs, d.os.Close(), d.lock.Close())...)
}

// tolerate returns err unless it says that the filesystem has no such thing, or
// lets nobody do it (NFS with access lists, FUSE, CIFS). Then it notes what
// follows from that.
func (d *Store) tolerate(what string, err error) error {
	if !errors.Is(err, syscall.EPERM) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	d.notes.note(what, err)
	return nil
}

// notes tell each thing once.
type notes struct {
	tell func(what string, err error)

	mu   sync.Mutex
	told map[string]bool
}

func (n *notes) note(what string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tell == nil || n.told[what] {
		return
	}
	if n.told == nil {
		n.told = make(map[string]bool)
	}
	n.told[what] = true
	n.tell(what, err)
}
