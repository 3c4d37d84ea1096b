package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/minio/minio-go/v7"

	"github.com/labnet/labnet/storage"
)

// probe tries whether the object store does what all else relies on. It is
// better found out now than when a file is overwritten.
func (s *Store) probe(ctx context.Context) error {
	c := s.client
	if err := c.list(ctx, s.root+hidden, 1, func(object) error { return nil }); err != nil {
		return err
	}
	key := s.root + hidden + "probe-" + rand.Text()
	text := []byte("labnet looks whether the object store keeps to conditions and compares sums.\n")
	put := func(sum checksum, only condition) error {
		_, err := c.put(ctx, key, bytes.NewReader(text), sum, nil, only)
		return err
	}
	right := sumOf(text)
	wrong := checksum{right.crc ^ 1, right.size}
	defer c.remove(ctx, key)
	if err := put(right, condition{absent: true}); err != nil {
		return err
	}
	for _, must := range []struct {
		honour string
		try    func() error
	}{
		{"If-None-Match", func() error { return put(right, condition{absent: true}) }},
		{"If-Match", func() error { return put(right, condition{etag: "0123456789abcdef0123456789abcdef"}) }},
		{"x-amz-checksum-crc64nvme", func() error { return refusedSum(put(wrong, condition{})) }},
		{"If-None-Match and checksums of multipart uploads", func() error { return s.probeParts(ctx, key, text) }},
	} {
		if err := must.try(); !errors.Is(err, errCondition) {
			return lacking(must.honour, err)
		}
	}
	return nil
}

// refusedSum turns the refusal of a wrong sum into that of a condition.
func refusedSum(err error) error {
	if errors.Is(err, storage.ErrMismatch) {
		return errCondition
	}
	return err
}

// probeParts tries a multipart upload to a key that is taken.
func (s *Store) probeParts(ctx context.Context, key string, text []byte) error {
	c := s.client
	upload, err := c.begin(ctx, key, nil)
	if err != nil {
		return err
	}
	defer c.abort(ctx, key, upload)
	p := &part{memory: newMemory(slabSize)}
	slab, err := p.memory.slab(p, int64(len(text)))
	if err != nil {
		return err
	}
	p.add(slab)
	p.write(text)
	stored, err := c.putPart(ctx, key, upload, 1, p)
	if err != nil {
		return err
	}
	parts := []minio.CompletePart{stored}
	wrong := checksum{p.sum.crc ^ 1, p.sum.size}
	_, err = c.complete(ctx, key, upload, parts, wrong, condition{})
	if err = refusedSum(err); !errors.Is(err, errCondition) {
		return err
	}
	_, err = c.complete(ctx, key, upload, parts, p.sum, condition{absent: true})
	return err
}

// lacking says what an object store does not do.
func lacking(what string, err error) error {
	if err == nil {
		return fmt.Errorf("the object store does not honour %s, without which files could be overwritten or damaged", what)
	}
	return err
}
