package dir

import (
	"hash"
	"sync"
	"sync/atomic"

	"github.com/labnet/labnet/storage"
)

// bufferSize is how many bytes are gathered before they are written, and so the
// most of one write. It fits into a processor's cache, and more would not be
// faster: ext4 takes a large write into as large a piece of memory, which the
// kernel has to look for. With 1 MiB the server needed two to four times the
// processor time for a large file (Linux 6.18), with 16 KiB a third more.
const bufferSize = 64 << 10

const (
	// maxBuffers is how many buffers of that size there are at most. Who comes
	// later gets a small one: thousands of clients that send at once would need
	// hundreds of megabytes, above all while the filesystem stands still.
	maxBuffers      = maxCalls
	smallBufferSize = 4 << 10
)

// buffers are taken only while a body moves.
var (
	buffers      = sync.Pool{New: func() any { return new([bufferSize]byte) }}
	smallBuffers = sync.Pool{New: func() any { return new([smallBufferSize]byte) }}
	buffersTaken atomic.Int32 // of buffers
)

// takeBuffer returns a buffer. The caller must give it back.
func takeBuffer() []byte {
	if buffersTaken.Add(1) <= maxBuffers {
		return buffers.Get().(*[bufferSize]byte)[:]
	}
	buffersTaken.Add(-1)
	return smallBuffers.Get().(*[smallBufferSize]byte)[:]
}

func giveBuffer(b []byte) {
	if len(b) == bufferSize {
		buffers.Put((*[bufferSize]byte)(b))
		buffersTaken.Add(-1)
	} else {
		smallBuffers.Put((*[smallBufferSize]byte)(b))
	}
}

// hashes has a sync.Pool for each digest by its name. That of BLAKE3 has 10 KB, which is
// felt with thousands of small files.
var hashes sync.Map

// takeHash is digest.New for a hash that the caller gives back.
func takeHash(digest storage.Digest) hash.Hash {
	if pool, ok := hashes.Load(digest.Name); ok {
		if h, ok := pool.(*sync.Pool).Get().(hash.Hash); ok {
			h.Reset()
			return h
		}
	}
	return digest.New()
}

func giveHash(digest storage.Digest, h hash.Hash) {
	pool, _ := hashes.LoadOrStore(digest.Name, new(sync.Pool))
	pool.(*sync.Pool).Put(h)
}
