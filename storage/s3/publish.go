package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/labnet/labnet/storage"
)

const (
	// maxTries bounds how often somebody else may have been writing an object,
	// or have removed what was there a moment ago.
	maxTries = 10
	// tryTime is the pause before another try.
	tryTime = 100 * time.Millisecond
)

var (
	// errTaken means that other contents have the name, and
	errTaken = errors.New("the name has other contents")
	// errClaimed that they will have it.
	errClaimed = fmt.Errorf("a large file that is being sent will have it: %w", errTaken)
)

// Commit implements [storage.Partial]. If the object store does not work, what
// it has stays for an upload of the same ID.
//
// A large file fails with storage.ErrDegraded, too, if somebody who does not look
// at the claims has taken its name while it was on its way: its parts are bound
// to that name, and it must be sent again.
func (p *partial) Commit(ctx context.Context, want storage.Sum) (storage.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return storage.Receipt{}, errClosed
	}
	if err := ctx.Err(); err != nil {
		p.end(false)
		return storage.Receipt{}, err
	}
	digest := p.digest()
	err := p.usable()
	if err == nil {
		err = storage.Sum{Size: p.size, Digest: digest}.Compare(p.file, want)
	}
	if err != nil {
		p.end(false)
		return storage.Receipt{}, err
	}
	name, unchanged, err := p.publish(ctx)
	if err != nil {
		p.err = err
		p.end(p.resumable() && errors.Is(err, storage.ErrDegraded) && !errors.Is(err, errTaken))
		return storage.Receipt{}, fmt.Errorf("commit %q: %w", p.file.Name, named(p.file.Name, err))
	}
	p.ended = true
	p.dropState(ctx) // or it expires
	p.leave()
	return storage.Receipt{
		Name:      name,
		Path:      storePath(p.store.location, name),
		Size:      p.size,
		Digest:    digest,
		Unchanged: unchanged,
		Assumed:   p.offer.Assumed,
	}, nil
}

func storePath(l Location, name string) string { return l.String() + name }

// publish gives the file its name, or finds that one has the same contents.
func (p *partial) publish(ctx context.Context) (name string, unchanged bool, err error) {
	if p.original != nil {
		return p.original.name, true, p.keepOriginal(ctx)
	}
	if p.multi != nil {
		return p.publishParts(ctx)
	}
	if p.onConflict == storage.Rename {
		p.store.names.Lock(p.file.Name)
		defer p.store.names.Unlock(p.file.Name) // between the claims and the file
	}
	name = p.file.Name
	unchanged, err = p.publishAs(ctx, name, p.put)
	claimed := map[int]object{}
	for n := 1; errors.Is(err, errTaken); {
		if errors.Is(err, errClaimed) {
			claimed[n] = object{}
		}
		copies, cerr := p.store.copies(ctx, p.file.Name)
		if cerr != nil {
			return "", false, cerr
		}
		taken := maps.Clone(copies)
		maps.Copy(taken, claimed)
		free := firstFree(copies, 1)
		maps.DeleteFunc(copies, func(n int, _ object) bool { return n > free })
		if n, err := p.same(ctx, copies); n > 0 || err != nil {
			return storage.NumberedName(p.file.Name, n), true, err
		}
		if n = firstFree(taken, 1); n > maxCopies {
			return "", false, fmt.Errorf("%w, and so are %d more", storage.ErrExists, maxCopies-1)
		}
		name = storage.NumberedName(p.file.Name, n)
		unchanged, err = p.publishAs(ctx, name, p.put)
	}
	return name, unchanged, err
}

// put stores a file of one part.
func (p *partial) put(ctx context.Context, key string, only condition) error {
	contents := p.part
	if contents == nil {
		contents = new(part)
	}
	_, err := p.store.client.put(ctx, key, contents, contents.sum, p.metadata(), only)
	return err
}

// publishParts stores a file of several parts under the name that was chosen for
// it, unless one that was taken already has the same contents.
func (p *partial) publishParts(ctx context.Context) (name string, unchanged bool, err error) {
	m := p.multi
	if p.part != nil && p.part.sum.size > 0 {
		if err := p.flush(); err != nil {
			return "", false, err
		}
	}
	m.wait()
	if err := m.failure(); err != nil {
		return "", false, err
	}
	if err := p.writeState(ctx, going); err != nil {
		return "", false, err
	}
	if p.onConflict == storage.Rename {
		p.store.names.Lock(p.file.Name)
		defer p.store.names.Unlock(p.file.Name)
		copies, err := p.store.copies(ctx, p.file.Name)
		if err != nil {
			return "", false, err
		}
		n, err := p.same(ctx, copies)
		if err != nil {
			return "", false, err
		}
		if n > 0 {
			return storage.NumberedName(p.file.Name, n), true, p.store.client.abort(ctx, m.key, m.upload)
		}
	}
	name = storage.NumberedName(p.file.Name, m.copy)
	var etag string
	unchanged, err = p.publishAs(ctx, name, func(ctx context.Context, key string, only condition) (err error) {
		etag, err = p.store.client.complete(ctx, key, m.upload, m.list(), p.sum, only)
		return err
	})
	if !unchanged && err == nil {
		p.noteDigest(ctx, etag)
	}
	if errors.Is(err, errTaken) {
		err = fmt.Errorf("%w: it was taken while the file was sent: %w", storage.ErrDegraded, err)
	}
	if unchanged && err == nil {
		err = p.store.client.abort(ctx, m.key, m.upload)
	}
	return name, unchanged, err
}

// publishAs stores the file under this name by means of store.
func (p *partial) publishAs(ctx context.Context, name string, store func(context.Context, string, condition) error) (unchanged bool, err error) {
	key := p.store.root + name
	all, sub := errgroup.WithContext(ctx)
	all.Go(func() error { return p.store.checkFile(sub, name) })
	if p.onConflict == storage.Rename && p.multi == nil {
		all.Go(func() error { return p.checkClaim(sub, key) })
	}
	if err := all.Wait(); err != nil {
		return false, err
	}
	only := condition{absent: true}
	if p.onConflict == storage.Replace {
		if unchanged, err := p.isThere(ctx, key); unchanged || err != nil && !errors.Is(err, errTaken) {
			return unchanged, err
		}
		only = condition{}
	}
	for range maxTries {
		err = store(ctx, key, only)
		switch {
		case err == nil:
			p.store.folders.note(name)
			return false, nil
		case errors.Is(err, errConflict):
			if err := pause(ctx); err != nil {
				return false, err
			}
			continue
		case !errors.Is(err, errCondition) && !errors.Is(err, errAbsent):
			return false, err
		}
		// The name is taken, unless this very request has done it, and its answer
		// got lost.
		old, exists, serr := p.store.client.stat(ctx, key)
		if serr != nil {
			return false, serr
		}
		if exists {
			if old.token == p.token {
				return false, nil
			}
			return p.compare(ctx, old)
		}
		if errors.Is(err, errAbsent) {
			// Somebody has aborted it, perhaps another server that took it over.
			return false, fmt.Errorf("%w: what was sent is gone: %w", storage.ErrDegraded, err)
		}
	}
	return false, fmt.Errorf("%w: %w", storage.ErrDegraded, err)
}

// checkClaim fails with errClaimed if a large file is going to have the key. It
// would have to be sent again if p took it.
func (p *partial) checkClaim(ctx context.Context, key string) error {
	c, o, err := p.store.readClaim(ctx, p.store.claimKey(key))
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	live, err := p.store.isLive(ctx, c, o)
	if live {
		err = errClaimed
	}
	return err
}

// isThere reports whether the same contents have the key; it fails with errTaken
// if others have.
func (p *partial) isThere(ctx context.Context, key string) (bool, error) {
	old, exists, err := p.store.client.stat(ctx, key)
	if !exists || err != nil {
		return false, err
	}
	return p.compare(ctx, old)
}

// compare reports whether an object has the same contents. If not, it fails
// with errTaken or, if names that are taken are refused, storage.ErrExists.
func (p *partial) compare(ctx context.Context, o object) (bool, error) {
	same, err := p.isSame(ctx, o)
	switch {
	case same || err != nil:
		return same, err
	case p.onConflict == storage.Refuse:
		return false, storage.ErrExists
	}
	return false, errTaken
}

// isSame reports whether an object has the same contents. What is in memory is
// compared byte by byte, all else by the digest of the object: a sum could be forged.
func (p *partial) isSame(ctx context.Context, o object) (bool, error) {
	sum := o.size == p.size && o.sum == p.total().String()
	if o.size != p.size || o.sum != "" && !sum {
		return false, nil
	}
	if p.multi != nil {
		return p.sameDigest(ctx, o)
	}
	return p.sameBytes(ctx, o)
}

// sameBytes compares an object with what is in memory.
func (p *partial) sameBytes(ctx context.Context, o object) (bool, error) {
	r, _, err := p.store.client.get(ctx, o.key)
	if errors.Is(err, errAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer r.Close()
	own := new(part)
	if p.part != nil {
		own = p.part
	}
	return equal(r, io.NewSectionReader(own, 0, own.sum.size))
}

// equal compares what is left in a and b.
func equal(a, b io.Reader) (bool, error) {
	x, y := takeBuffer(-1), takeBuffer(-1)
	defer giveBuffer(x)
	defer giveBuffer(y)
	for {
		n, aerr := io.ReadFull(a, *x)
		m, berr := io.ReadFull(b, *y)
		if string((*x)[:n]) != string((*y)[:m]) {
			return false, nil
		}
		for _, err := range []error{aerr, berr} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, explain(err)
			}
		}
		if n < len(*x) {
			return true, nil
		}
	}
}

// pause waits before another try.
func pause(ctx context.Context) error {
	select {
	case <-time.After(tryTime):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
