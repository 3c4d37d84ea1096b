package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"github.com/labnet/labnet/storage"
)

// The steps at which [Memory.Fault] is asked.
const (
	Create    = "create"    // before a file is begun
	Write     = "write"     // before some bytes are taken
	Sync      = "sync"      // before a file or folder is made durable; an error is final
	Publish   = "publish"   // before a file gets its name
	Published = "published" // after that: an error means failed but stored
)

// Memory is a [storage.Store] that keeps files in memory and fails on demand.
// Its fields may be set until it is used.
type Memory struct {
	OnConflict storage.Conflict
	Names      storage.Names
	// Fault, if set, is called with each step and may return an error that
	// the step then fails with, or block. Many goroutines may call it at once.
	Fault func(step string) error

	mu      sync.Mutex
	files   fstest.MapFS
	writing map[string]bool   // by UploadName
	left    map[string][]byte // likewise
	failed  error
	closed  bool
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		files:   fstest.MapFS{},
		writing: make(map[string]bool),
		left:    make(map[string][]byte),
	}
}

// Files returns the contents of what is published, by name.
func (m *Memory) Files() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := make(map[string][]byte)
	for name, f := range m.files {
		if !f.Mode.IsDir() {
			files[name] = bytes.Clone(f.Data)
		}
	}
	return files
}

// FS returns what is published now, with modes and times.
func (m *Memory) FS() fs.FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.files)
}

func (m *Memory) fault(step string) error {
	if m.Fault == nil {
		return nil
	}
	return m.Fault(step)
}

func (m *Memory) fail(err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = fmt.Errorf("%w: %w", storage.ErrFailed, err)
	return m.failed
}

// Create implements [storage.Store].
func (m *Memory) Create(ctx context.Context, f storage.File) (storage.Partial, error) {
	name, _, err := f.Place(m.Names)
	if err != nil {
		return nil, err
	}
	p := &partial{store: m, file: f, onConflict: f.Conflict(m.OnConflict)}
	p.file.Name = name
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := m.fault(Create); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return nil, err
	}
	if err := m.checkCollision(p.file.Name); err != nil {
		return nil, err
	}
	old := m.files[p.file.Name]
	if old != nil && p.onConflict == storage.Refuse && f.Size >= 0 && f.Size != int64(len(old.Data)) {
		return nil, storage.ErrExists
	}
	if f.ID != "" {
		if m.writing[f.UploadName()] {
			return nil, storage.ErrInUse
		}
		m.writing[f.UploadName()] = true
	}
	p.begin()
	return p, nil
}

// Usage implements [storage.Meter].
func (m *Memory) Usage(ctx context.Context, folder string) (used storage.Usage, err error) {
	if err := storage.Native.Check(folder); err != nil {
		return used, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, f := range m.files {
		if strings.HasPrefix(name, folder+"/") {
			used = used.Add(storage.Usage{Bytes: int64(len(f.Data)), Files: 1})
		}
	}
	return used, ctx.Err()
}

// Left implements [storage.Meter].
func (m *Memory) Left(f storage.File) storage.Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	return storage.Left(func(yield func(storage.Leftover) bool) {
		for name, data := range m.left {
			if !yield(storage.Leftover{Name: name, Owner: storage.OwnerOf(name), Size: int64(len(data))}) {
				return
			}
		}
	}, f)
}

// MakeFolder implements [storage.Store].
func (m *Memory) MakeFolder(ctx context.Context, name string, modes []fs.FileMode) error {
	if err := m.Names.Check(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.fault(Sync); err != nil {
		return m.fail(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	for folder := name; folder != "."; folder = path.Dir(folder) {
		if f := m.files[folder]; f != nil && !f.Mode.IsDir() {
			return &storage.NameError{Name: name, Reason: fmt.Sprintf("%q is not a folder here", folder)}
		}
	}
	if m.files[name] == nil {
		mode := storage.FolderMode(modes, strings.Count(name, "/"))
		m.files[name] = &fstest.MapFile{Mode: fs.ModeDir | mode, ModTime: time.Now()}
	}
	return nil
}

// usable and checkCollision need mu.
func (m *Memory) usable() error {
	if m.closed {
		return fs.ErrClosed
	}
	return m.failed
}

func (m *Memory) checkCollision(name string) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if f := m.files[dir]; f != nil && !f.Mode.IsDir() {
			return &storage.NameError{Name: name, Reason: fmt.Sprintf("%q is not a folder here", dir)}
		}
	}
	for other, f := range m.files {
		if strings.HasPrefix(other, name+"/") || other == name && f.Mode.IsDir() {
			return &storage.NameError{Name: name, Reason: "it is a folder here"}
		}
	}
	return nil
}

// Err implements [storage.Store].
func (m *Memory) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// Try implements [storage.Store].
func (m *Memory) Try() error { return m.Err() }

// Close implements [storage.Store]. A Memory cannot be opened again, and so
// nothing is lost that is still in progress.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
