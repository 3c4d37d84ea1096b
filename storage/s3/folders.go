package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/labnet/labnet/storage"
)

// MakeFolder implements [storage.Store]. A folder without files is an empty
// object whose name ends in a slash; those above it need none. Its permissions are
// metadata, if they are told, and those of other folders are not kept.
func (s *Store) MakeFolder(ctx context.Context, name string, modes []fs.FileMode) error {
	if err := s.checkName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var meta map[string]string
	if n := strings.Count(name, "/"); s.o.FileMode == 0 && n < len(modes) && modes[n] != 0 {
		meta = map[string]string{metaMode: formatMode(0o040000, storage.FolderMode(modes, n))}
	}
	if err := s.makeFolder(ctx, name, meta); err != nil {
		return fmt.Errorf("make folder %q: %w", name, named(name, err))
	}
	return nil
}

func (s *Store) makeFolder(ctx context.Context, name string, meta map[string]string) error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return errClosed
	}
	if err := s.checkFolders(ctx, append(storage.Ancestors(name), name)); err != nil {
		return err
	}
	var err error
	for range maxTries {
		_, err = s.client.put(ctx, s.root+name+"/", new(part), checksum{}, meta, condition{absent: true})
		if !errors.Is(err, errConflict) {
			break
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	if err == nil || errors.Is(err, errCondition) {
		s.folders.note(name + "/")
		return nil
	}
	return err
}

// CheckFolder implements [storage.FolderChecker]. Whatever is in a folder makes it one.
func (s *Store) CheckFolder(ctx context.Context, name string) error {
	if err := cmp.Or(s.checkName(name), ctx.Err()); err != nil {
		return err
	}
	err := s.checkFolders(ctx, append(storage.Ancestors(name), name))
	var other *storage.NameError
	switch {
	case errors.As(err, &other):
		return fmt.Errorf("%w: %s", storage.ErrDifferent, other.Reason)
	case err != nil:
		return fmt.Errorf("check folder %q: %w", name, err)
	}
	err = s.client.list(ctx, s.root+name+"/", 1, func(object) error { return errFound })
	switch {
	case errors.Is(err, errFound):
		return nil
	case err == nil:
		return storage.ErrAbsent
	}
	return fmt.Errorf("check folder %q: %w", name, err)
}

var errFound = errors.New("there is something in the folder")

// checkFile fails with a *NameError if there cannot be a file of that name
// because of what is there. What comes meanwhile it cannot know.
func (s *Store) checkFile(ctx context.Context, name string) error {
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return s.checkFolders(ctx, storage.Ancestors(name)) })
	all.Go(func() error {
		return s.lookUp(ctx, func() error {
			return s.client.list(ctx, s.root+name+"/", 1, func(object) error {
				return &storage.NameError{Name: name, Reason: "it is a folder here"}
			})
		})
	})
	return all.Wait()
}

// lookUp calls f once few others look something up.
func (s *Store) lookUp(ctx context.Context, f func() error) error {
	select {
	case s.lookups <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.lookups }()
	return f()
}

// checkFolders fails with a *NameError if one of the folders is a file.
func (s *Store) checkFolders(ctx context.Context, folders []string) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(maxLookups)
	for _, folder := range folders {
		if s.folders.known(folder) {
			continue
		}
		all.Go(func() error {
			return s.lookUp(ctx, func() error {
				_, exists, err := s.client.stat(ctx, s.root+folder)
				if exists {
					err = &storage.NameError{Name: folder, Reason: fmt.Sprintf("%q is not a folder here", folder)}
				}
				return err
			})
		})
	}
	return all.Wait()
}

// Usage implements [storage.Meter]. It lists all that is in the folder, and counts
// objects: folders have one only if they are empty.
func (s *Store) Usage(ctx context.Context, folder string) (used storage.Usage, err error) {
	if err := storage.Native.Check(folder); err != nil {
		return used, err
	}
	err = s.client.list(ctx, s.root+folder+"/", 0, func(o object) error {
		used = used.Add(storage.Usage{Bytes: o.size, Files: 1})
		return ctx.Err()
	})
	return used, cmp.Or(err, ctx.Err())
}

// folders remembers in which folders this server has just stored something: no
// server stores a file in place of one. The zero value is ready to use.
type folders struct {
	mu    sync.Mutex
	until map[string]time.Time
}

const (
	// knownTime is how long a folder is remembered. Who removes all that is in
	// it and puts a file in its place should not surprise for longer.
	knownTime = 10 * time.Second
	// maxLookups is how many folders of a name are looked up at the same time.
	maxLookups = 8
	// maxAllLookups is how many are looked up for all names: each needs a connection.
	maxAllLookups = 64
	// maxKnown bounds the memory; to forget a folder costs a request.
	maxKnown = 1 << 14
)

func (f *folders) known(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Now().Before(f.until[name])
}

// note remembers the folders that lead to name.
func (f *folders) note(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.until == nil || len(f.until) >= maxKnown {
		f.until = make(map[string]time.Time)
	}
	until := time.Now().Add(knownTime)
	for _, folder := range storage.Ancestors(name) {
		f.until[strings.Clone(folder)] = until
	}
}
