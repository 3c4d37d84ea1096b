package storage

import "sync"

// Buffers are taken only while a body moves. A large one is worth filling:
// smaller ones cost up to a tenth more of processor time, larger ones gain
// nothing. But only the first few have one: a thousand uploads at once are held
// up by other things than system calls, and must fit into memory.
const (
	largeBuffer = 1 << 20
	maxLarge    = 8
)

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, small); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }}
	largeInUse   = make(chan struct{}, maxLarge)
)

// takeBuffer returns a buffer for a file of size bytes; negative is unknown. It
// never waits. The caller must give it back.
func takeBuffer(size int64) *[]byte {
	if size < 0 || size >= small {
		select {
		case largeInUse <- struct{}{}:
			return largeBuffers.Get().(*[]byte)
		default:
		}
	}
	return smallBuffers.Get().(*[]byte)
}

func giveBuffer(b *[]byte) {
	if len(*b) == small {
		smallBuffers.Put(b)
		return
	}
	largeBuffers.Put(b)
	<-largeInUse
}
