package s3

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/labnet/labnet/storage"
)

// A Reader is a [storage.Reader] of what is kept in a bucket.
type Reader struct {
	store *Store // which is not open: only to look into the bucket
}

// OpenReader opens the store at a location to read it. Nothing is written there. Of o
// only Transport and Tries count.
func OpenReader(ctx context.Context, l Location, o Options) (*Reader, error) {
	client, err := newClient(l, o.Transport, o.Tries)
	if err == nil {
		err = client.list(ctx, l.Prefix, 1, func(object) error { return nil })
	}
	if err != nil {
		return nil, fmt.Errorf("read store %s: %w", l, err)
	}
	return &Reader{&Store{location: l, client: client, root: l.Prefix}}, nil
}

// Close implements [storage.Reader].
func (r *Reader) Close() error {
	r.store.client.close()
	return nil
}

// Walk implements [storage.Reader]. What a folder without files is kept as is no file.
func (r *Reader) Walk(ctx context.Context, do func(storage.Found) error) error {
	root := r.store.root
	err := r.store.client.list(ctx, root, 0, func(o object) error {
		name := strings.TrimPrefix(o.key, root)
		if name == "" || strings.HasPrefix(name, hidden) || strings.HasSuffix(name, "/") {
			return ctx.Err()
		}
		return do(storage.Found{Name: name, Size: o.size})
	})
	return cmp.Or(err, ctx.Err())
}

// Open implements [storage.Reader].
func (r *Reader) Open(ctx context.Context, name string) (storage.Kept, error) {
	for range maxTries {
		o, exists, err := r.store.client.stat(ctx, r.store.root+name)
		if err != nil {
			return nil, err
		}
		if !exists {
			break
		}
		body, now, err := r.store.client.get(ctx, o.key)
		if errors.Is(err, errAbsent) {
			break
		}
		if err != nil {
			return nil, err
		}
		if now.etag == o.etag {
			return &kept{r.store, o, body}, nil
		}
		body.Close() // another has taken its place meanwhile
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// A kept is an object that is read.
type kept struct {
	store  *Store
	object object
	body   io.ReadCloser
}

// Read implements [io.Reader].
func (k *kept) Read(b []byte) (int, error) {
	n, err := k.body.Read(b)
	if err != nil && err != io.EOF {
		err = explain(err)
	}
	return n, err
}

// Close implements [io.Closer].
func (k *kept) Close() error { return k.body.Close() }

// Notes implements [storage.Kept]. The object store itself keeps the checksum with which
// an object has come, and that is for that object only. Of one that another program has
// put in place of a file, the digest of the file may still be there.
func (k *kept) Notes(ctx context.Context) ([]storage.Note, error) {
	o := k.object
	var notes []storage.Note
	if sum, err := parseChecksum(o.sum, o.size); err == nil {
		notes = append(notes, storage.Note{Digest: crcName, Sum: sum.bytes(), Size: o.size, Since: storage.Untouched})
	}
	if isOfOnePart := !strings.Contains(o.etag, "-"); o.token != "" && isOfOnePart && len(notes) > 0 {
		return notes, nil
	}
	d, err := k.store.findDigest(ctx, o.key)
	if err != nil {
		return nil, err
	}
	sum, err := hex.DecodeString(d.SHA256)
	if err != nil || len(sum) == 0 {
		return notes, nil
	}
	note := storage.Note{Digest: proofName, Sum: sum, Size: -1, Since: storage.Untouched}
	switch {
	case d.ETag == o.etag:
		return append(notes, note), nil
	case o.token != "":
		return notes, nil // it was received later
	}
	note.Since = storage.Changed
	return []storage.Note{note}, nil
}
