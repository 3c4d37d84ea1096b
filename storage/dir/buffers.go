package dir

import "sync"

// bufferSize is how many bytes are gathered before they are written, and so the
// most of one write. It fits into a processor's cache, and more would not be
// faster: ext4 takes a large write into as large a piece of memory, which the
// kernel has to look for. With 1 MiB the server needed two to four times the
// processor time for a large file (Linux 6.18), with 16 KiB a third more.
const bufferSize = 64 << 10

// buffers are taken only while a body moves.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// takeBuffer returns a buffer. The caller must give it back.
func takeBuffer() *[bufferSize]byte { return buffers.Get().(*[bufferSize]byte) }

func giveBuffer(b *[bufferSize]byte) { buffers.Put(b) }
