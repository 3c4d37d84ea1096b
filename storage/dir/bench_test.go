package dir_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/minio/crc64nvme"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
)

var crc = storage.Digest{Name: "crc64nvme", New: func() hash.Hash { return crc64nvme.New() }}

func BenchmarkReceive(b *testing.B) {
	for _, mib := range []int64{1, 64} {
		b.Run(fmt.Sprintf("%dMiB", mib), func(b *testing.B) {
			d := benchDir(b)
			body := make([]byte, mib<<20)
			b.SetBytes(mib << 20)
			for b.Loop() {
				p, err := d.Create(b.Context(), storage.File{Name: "f", Size: mib << 20, Digest: crc})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := p.ReadFrom(bytes.NewReader(body)); err != nil {
					b.Fatal(err)
				}
				if err := p.Abort(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPublish stores 4 KiB files, many at once, each made durable alone and
// together.
func BenchmarkPublish(b *testing.B) {
	for _, batches := range []bool{false, true} {
		for _, committers := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("batches=%v/committers=%d", batches, committers), func(b *testing.B) {
				d := benchDir(b)
				if !batches {
					d.NeverBatch()
				}
				body := make([]byte, 4096)
				var begun atomic.Int64
				var all sync.WaitGroup
				b.ResetTimer()
				for range committers {
					all.Go(func() {
						for begun.Add(1) <= int64(b.N) {
							if err := publish(b.Context(), d, body); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
			})
		}
	}
}

func publish(ctx context.Context, d *dir.Store, body []byte) error {
	p, err := d.Create(ctx, storage.File{Size: int64(len(body)), Digest: crc})
	if err != nil {
		return err
	}
	if _, err := p.ReadFrom(bytes.NewReader(body)); err != nil {
		return errors.Join(err, p.Abort())
	}
	_, err = p.Commit(ctx, storage.Sum{Size: int64(len(body))})
	return err
}

func benchDir(b *testing.B) *dir.Store {
	d, err := dir.Open(b.TempDir(), dir.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}
