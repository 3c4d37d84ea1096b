package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/labnet/labnet/storage"
)

// A Reader is a [storage.Reader] of what is kept in a directory.
type Reader struct{ root *os.Root }

// OpenReader opens the store in a directory to read it. Nothing is made there, and a
// server may have it open.
func OpenReader(dir string) (*Reader, error) {
	err := checkRoot(dir)
	if err == nil {
		var root *os.Root
		if root, err = os.OpenRoot(dir); err == nil {
			return &Reader{root}, nil
		}
	}
	return nil, fmt.Errorf("read store %q: %w", dir, err)
}

// Close implements [storage.Reader].
func (r *Reader) Close() error { return r.root.Close() }

// Walk implements [storage.Reader]. Names come in the order of the folders' own.
func (r *Reader) Walk(ctx context.Context, do func(storage.Found) error) error {
	return fs.WalkDir(r.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case hasVanished(err):
			return nil
		case err != nil:
			return do(storage.Found{Name: name, Err: err})
		case e.IsDir() && name == hidden:
			return fs.SkipDir
		case !e.Type().IsRegular():
			return nil
		}
		fi, err := r.root.Lstat(name)
		switch {
		case hasVanished(err):
			return nil
		case err != nil:
			return do(storage.Found{Name: name, Err: err})
		}
		return do(storage.Found{Name: name, Size: fi.Size()})
	})
}

// hasVanished reports whether err says that what was there a moment ago is not, or is
// below what is no folder any more.
func hasVanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// Open implements [storage.Reader].
func (r *Reader) Open(_ context.Context, name string) (storage.Kept, error) {
	for range maxTries {
		before, err := r.root.Lstat(name)
		if hasVanished(err) || err == nil && !before.Mode().IsRegular() {
			break
		}
		if err != nil {
			return nil, err
		}
		f, err := r.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO may have taken its place
		if hasVanished(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		opened, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if os.SameFile(before, opened) {
			return &kept{f: f, cold: isCold(f)}, nil
		}
		f.Close()
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// A kept is an open file of a Reader.
type kept struct {
	f       *os.File
	cold    bool  // nobody else has use for what is read of it
	read    int64 // bytes
	dropped int64 // of them, that no cache needs to have
}

// dropStep is how many bytes are dropped from the system's cache at a time.
const dropStep = 8 << 20

// Read implements [io.Reader].
func (k *kept) Read(b []byte) (int, error) {
	n, err := k.f.Read(b)
	if k.read += int64(n); k.read-k.dropped >= dropStep {
		k.drop()
	}
	return n, err
}

// drop has the system forget what was read, unless it had that before: it would take the
// place of what others need.
func (k *kept) drop() {
	if k.cold {
		dropCached(k.f, k.dropped, k.read-k.dropped)
	}
	k.dropped = k.read
}

// Close implements [io.Closer].
func (k *kept) Close() error {
	k.drop()
	return k.f.Close()
}

// Notes implements [storage.Kept].
func (k *kept) Notes(context.Context) ([]storage.Note, error) {
	names, err := attributes(k.f, attributePrefix)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fi, err := k.f.Stat()
	if err != nil {
		return nil, err
	}
	var notes []storage.Note
	for _, name := range names {
		text, err := attribute(k.f, name)
		if err != nil {
			return nil, err
		}
		if note, ok := parseNote(strings.TrimPrefix(name, attributePrefix), text, fi); ok {
			notes = append(notes, note)
		}
	}
	return notes, nil
}
