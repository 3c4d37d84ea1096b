package wire

import "sync/atomic"

const (
	// maxHeld is the most bytes of answers that all connections together may hold
	// back, not counting freeHeld for each. While there are more, a connection that
	// holds back freeHeld is not read.
	maxHeld = 64 << 20
	// freeHeld is what a connection may hold back in any case.
	freeHeld = 16 << 10
)

// A held counts the bytes that a connection holds back, as a part of all.
type held struct {
	all   *atomic.Int64 // set before use
	share int           // of all
}

// set notes that the connection holds back n bytes.
func (h *held) set(n int) {
	if share := max(0, n-freeHeld); share != h.share {
		h.all.Add(int64(share - h.share))
		h.share = share
	}
}

// most is how many bytes the connection may hold back.
func (h *held) most() int {
	if h.all.Load() >= maxHeld {
		return freeHeld
	}
	return maxOwedBytes
}
