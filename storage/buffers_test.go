package storage

import "testing"

// However many uploads there are, few of their buffers are large, and those
// that were given back can be had again.
func TestLargeBuffersAreFew(t *testing.T) {
	for range 2 {
		var taken []*[]byte
		for range 3 * maxLarge {
			taken = append(taken, takeBuffer(-1))
		}
		large := 0
		for _, b := range taken {
			if len(*b) == largeBuffer {
				large++
			}
			giveBuffer(b)
		}
		if large != maxLarge {
			t.Errorf("%d large buffers, want %d", large, maxLarge)
		}
	}
	if b := takeBuffer(small - 1); len(*b) != small {
		t.Errorf("a buffer of %d bytes for a small file", len(*b))
	} else {
		giveBuffer(b)
	}
}
