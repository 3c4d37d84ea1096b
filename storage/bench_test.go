package storage_test

import (
	"bytes"
	"fmt"
	"hash"
	"testing"

	"github.com/minio/crc64nvme"

	"github.com/labnet/labnet/storage"
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

// BenchmarkPublish stores 4 KiB files, one after the other and sixteen at once.
func BenchmarkPublish(b *testing.B) {
	body := make([]byte, 4096)
	publish := func(b *testing.B, d *storage.Dir) {
		p, err := d.Create(b.Context(), storage.File{Size: 4096, Digest: crc})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.ReadFrom(bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Commit(b.Context(), storage.Sum{Size: 4096}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("sequential", func(b *testing.B) {
		d := benchDir(b)
		for b.Loop() {
			publish(b, d)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		d := benchDir(b)
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				publish(b, d)
			}
		})
	})
}

func benchDir(b *testing.B) *storage.Dir {
	d, err := storage.OpenDir(b.TempDir(), storage.DirOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}
