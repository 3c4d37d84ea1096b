package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/labnet/labnet/wire"
)

func BenchmarkReadHeader(b *testing.B) {
	for _, bm := range []struct{ name, in string }{{"String", str("")}, {"Data1", header(2, 1)}, {"Data8", header(9, 1)}} {
		in := bm.in
		b.Run(bm.name, func(b *testing.B) {
			src := strings.NewReader(in)
			r := bufio.NewReaderSize(src, 4096)
			b.ReportAllocs()
			for b.Loop() {
				src.Reset(in)
				r.Reset(src)
				if _, err := wire.ReadHeader(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendHeader(b *testing.B) {
	buf := make([]byte, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		buf = wire.DataHeader(1 << 20).Append(buf[:0])
	}
}

const announcement = "some/folder/report.pdf\x00size=4194304\x00mtime=1732285920.123456789\x00mode=0644\x00"

func BenchmarkParseControl(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.ParseControl(announcement); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkControlText(b *testing.B) {
	c, err := wire.ParseControl(announcement)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_ = c.Text()
	}
}

// BenchmarkSay is a round trip over loopback TCP.
func BenchmarkSay(b *testing.B) {
	_, addr := listen(b, &store{})
	c := connect(b, addr)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Say(context.Background(), "hello"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpload sends files over loopback TCP to a server that keeps
// nothing: what it costs is the network, the digests and this package.
func BenchmarkUpload(b *testing.B) {
	for _, size := range []int64{0, 4 << 10, 1 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			_, addr := listenTo(b, sink{})
			benchmarkUpload(b, connect(b, addr), size)
		})
	}
	b.Run("65536KiB over TLS", func(b *testing.B) {
		_, addr := listenTo(b, sink{}, encrypted)
		c := wire.NewClient(encrypt(b, dialTCP(b, addr)), 0)
		b.Cleanup(func() { c.Close() })
		benchmarkUpload(b, c, 64<<20)
	})
}

// BenchmarkHandshake makes TLS connections over loopback TCP, and ends them.
func BenchmarkHandshake(b *testing.B) {
	_, addr := listenTo(b, sink{}, encrypted)
	for b.Loop() {
		must(b, wire.Ping(context.Background(), encrypt(b, dialTCP(b, addr)), 0))
	}
}

func benchmarkUpload(b *testing.B, c *wire.Client, size int64) {
	contents := make([]byte, size)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Upload(context.Background(), known(int(size)), bytes.NewReader(contents)); err != nil {
			b.Fatal(err)
		}
	}
}

// A sink is a store that sums up what it gets and forgets it.
type sink struct{}

func (sink) Err() error { return nil }

func (sink) MakeFolder(context.Context, string, []fs.FileMode) error { return nil }
func (sink) CheckFolder(context.Context, string) error               { return nil }

func (sink) Create(_ context.Context, a wire.Announcement) (wire.Upload, error) {
	return &drain{digest: a.Digest.New()}, nil
}

type drain struct {
	digest hash.Hash
	size   int64
}

var drainBuffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

func (d *drain) ReadFrom(r io.Reader) (int64, error) {
	buf := drainBuffers.Get().(*[256 << 10]byte)
	defer drainBuffers.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{d.digest}, r, buf[:])
	d.size += n
	return n, err
}

func (d *drain) Commit(context.Context, wire.Sum) (wire.Saved, error) {
	return wire.Saved{Name: "f", Sum: wire.Sum{Size: d.size, Digest: d.digest.Sum(nil)}}, nil
}

func (d *drain) Offer() wire.Offer { return wire.Offer{} }
func (d *drain) Restart() error    { return nil }
func (d *drain) Suspend() error    { return nil }
func (d *drain) Abort() error      { return nil }
