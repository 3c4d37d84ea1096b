// Package s3 has a store that keeps files in an object store which speaks S3.
//
// Any number of servers may use the same bucket and prefix at once: all that
// they share is in the bucket. A file becomes one object under its name, by one
// request that the object store carries out whole or not at all: PutObject if it
// is small, otherwise CompleteMultipartUpload. Both carry the CRC-64/NVME of the
// whole file, which the object store compares with what it has, and unless names
// are replaced the condition that there is nothing under the name.
//
// Multipart uploads are what interrupted uploads are continued from, at any
// server. Whose turn it is an object for each upload tells (see state): a server
// replaces it only if nobody else has replaced it since, so that of two servers
// one finds out that it is no longer its upload. No clock is involved. What a
// server sends before it finds out can spoil the upload for both, but no file: a
// part that has been replaced is refused by its ETag, and a whole by its sum.
//
// What belongs to no file is below the prefix ".labnet/".
package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/labnet/labnet/storage"
)

const (
	// hidden is what the names of objects begin with that are no files.
	hidden = storage.Hidden + "/"
	// maxKey is the length of a key in bytes, and
	maxKey = 1024
	// maxParts the number of parts that S3 allows.
	maxParts = 10_000
	// MinPartSize is the least that it takes for a part but the last.
	MinPartSize = 5 << 20
	// DefaultMemory is enough for 50 large uploads that are all under way.
	DefaultMemory = 256 << 20
)

// Options are the choices of [Open]; the zero value is usable.
type Options struct {
	// OnConflict says what becomes of a file whose name is taken.
	OnConflict storage.Conflict
	// Names says which names are accepted.
	Names storage.Names
	// Partials bounds what interrupted uploads leave, for all servers together.
	// It may be exceeded for up to a minute or a 24th of its Age.
	Partials storage.Bounds
	// FileMode is told of all files in place of the permissions that their senders
	// announce; zero leaves it to them.
	FileMode fs.FileMode
	// Memory is how many bytes may wait to be sent to the object store, or one
	// part more; senders wait for it. Zero stands for DefaultMemory. It is at
	// least one part.
	Memory int64
	// PartSize is that of parts but the last, and larger for files over 48
	// GiB. Zero stands for MinPartSize.
	PartSize int64
	// Transport carries the requests; nil stands for one that trusts the
	// certificates that the system does, and those in AWS_CA_BUNDLE.
	Transport http.RoundTripper
	// Synced is told how long each request has taken that makes something durable; nil
	// tells nobody.
	Synced func(took time.Duration)
	// Tries is how often a request is sent that fails for a reason that may
	// pass; zero stands for ten times, within some seconds.
	Tries int
}

// A Store keeps files in a bucket.
type Store struct {
	location Location
	client   *client
	root     string // what all names begin with
	o        Options
	memory   *memory
	folders  folders
	lookups  chan struct{} // full while maxAllLookups are under way
	reads    storage.Turns // of objects that are read for their digest
	noCopies atomic.Bool   // the object store cannot copy parts
	names    *storage.NameLocks

	background context.Context // ends with the store
	stop       context.CancelFunc
	chores     sync.WaitGroup
	trim       chan struct{} // asks for removeLeft

	mu       sync.Mutex
	closed   bool
	partials map[string]*partial // by the key of their state
	left     map[string]leftover // likewise
}

// Open opens the store at a location. It fails if the bucket is missing or the
// object store does not do what Commit needs: keep to the conditions of PutObject
// and CompleteMultipartUpload, and compare CRC-64/NVME sums.
func Open(ctx context.Context, l Location, o Options) (*Store, error) {
	o.Partials = o.Partials.WithDefaults()
	o.PartSize = cmp.Or(o.PartSize, MinPartSize)
	o.Memory = max(cmp.Or(o.Memory, DefaultMemory), o.PartSize)
	client, err := newClient(l, o.Transport, o.Tries)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", l, err)
	}
	client.synced = o.Synced
	s := &Store{
		location: l,
		client:   client,
		root:     l.Prefix,
		o:        o,
		memory:   newMemory(o.Memory),
		names:    storage.NewNameLocks(),
		trim:     make(chan struct{}, 1),
		lookups:  make(chan struct{}, maxAllLookups),
		reads:    storage.NewTurns(maxReads),
		partials: make(map[string]*partial),
		left:     make(map[string]leftover),
	}
	s.background, s.stop = context.WithCancel(context.Background())
	err = s.probe(ctx)
	if err == nil {
		err = s.removeLeft(ctx)
	}
	if err != nil {
		s.stop()
		client.close()
		return nil, fmt.Errorf("open store %s: %w", l, err)
	}
	s.chores.Go(s.tidy)
	s.chores.Go(s.renew)
	s.chores.Go(s.watch)
	return s, nil
}

// Create implements [storage.Store]. A file of more than one part gets its name
// now: the first that is neither taken nor being sent to. An upload that another
// server has not ended is taken over.
func (s *Store) Create(ctx context.Context, f storage.File) (storage.Partial, error) {
	placed, err := f.Placed(s.o.Names, s.checkKey)
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return nil, err
	}
	p := newPartial(s, placed, f.Conflict(s.o.OnConflict))
	p.mu.Lock() // Close waits for it
	defer p.mu.Unlock()
	if err := s.enter(p); err != nil {
		return nil, fmt.Errorf("create %q: %w", p.file.Name, err)
	}
	if err := p.begin(ctx); err != nil {
		p.ended = true
		p.leave()
		return nil, fmt.Errorf("create %q: %w", p.file.Name, named(p.file.Name, err))
	}
	return p, nil
}

// checkName fails with a *NameError if a folder may not have that name.
func (s *Store) checkName(name string) error {
	return cmp.Or(s.o.Names.Check(name), s.checkKey(name))
}

// checkKey fails with a *NameError if the key, with a number, would be too long, or
// could not be listed.
func (s *Store) checkKey(name string) error {
	if len(s.root)+len(name)+len(" (10000)") > maxKey {
		return &storage.NameError{Name: name, Reason: "it is too long for an object store"}
	}
	if i := strings.IndexAny(name, "\ufffe\uffff"); i >= 0 { // which XML cannot hold, and so no list of objects
		r, _ := utf8.DecodeRuneInString(name[i:])
		return &storage.NameError{Name: name, Reason: fmt.Sprintf("it contains %U, which an object store cannot list", r)}
	}
	return nil
}

// named gives an error about a key the name that the sender knows.
func named(name string, err error) error {
	var bad *storage.NameError
	if errors.As(err, &bad) {
		return &storage.NameError{Name: name, Reason: bad.Reason}
	}
	return err
}

// enter makes p known, so that Close ends it and nobody else here writes it.
func (s *Store) enter(p *partial) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if s.partials[p.stateKey] != nil {
		return storage.ErrInUse
	}
	s.partials[p.stateKey] = p
	return nil
}

// forget is the opposite of enter.
func (s *Store) forget(p *partial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.partials, p.stateKey)
	delete(s.left, p.stateKey) // it is noted again if it stays
}

// isOpen reports whether p is in progress here.
func (s *Store) isOpen(stateKey string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.partials[stateKey] != nil
}

// Err implements [storage.Store]. It reports what the last requests came to;
// while there are none, the object store is asked every ten seconds.
func (s *Store) Err() error {
	_, err := s.client.health.state()
	return err
}

// Try implements [storage.Store]. Err is never long out of date.
func (s *Store) Try() error { return s.Err() }

// MostMemory returns how many bytes have waited at most so far.
func (s *Store) MostMemory() int64 {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return s.memory.most
}

// Close implements [storage.Store]. It waits for a Create or Commit in progress,
// but not for a ReadFrom that waits for its reader.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	open := slices.Collect(maps.Values(s.partials))
	s.mu.Unlock()

	s.stop()
	s.memory.close()
	s.chores.Wait()
	var all sync.WaitGroup
	errs := make([]error, len(open))
	for i, p := range open {
		all.Go(func() { errs[i] = p.Suspend() })
	}
	all.Wait()
	s.client.close()
	return errors.Join(errs...)
}

// watch asks the object store now and then whether it works, while nobody else
// asks it anything.
func (s *Store) watch() {
	const every = 10 * time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if last, err := s.client.health.state(); err != nil || now.Sub(last) >= every {
				s.client.list(s.background, s.root+hidden+"uploads/", 1, func(object) error { return nil })
			}
		case <-s.background.Done():
			return
		}
	}
}
