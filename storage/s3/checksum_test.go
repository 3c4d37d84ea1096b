package s3

import (
	"math/rand/v2"
	"testing"
)

func TestJoin(t *testing.T) {
	data := make([]byte, 10_000)
	rand.NewChaCha8([32]byte{}).Read(data)
	whole := sumOf(data)
	for _, at := range []int{0, 1, 7, 4096, 9999, 10_000} {
		if got := sumOf(data[:at]).join(sumOf(data[at:])); got != whole {
			t.Errorf("joined at %d: %x, want %x", at, got, whole)
		}
	}
	if got := sumOf([]byte("123456789")).crc; got != 0xae8b14860a799888 {
		t.Errorf("the sum of the check value is %x", got)
	}
	if got, err := parseChecksum(whole.String(), whole.size); got != whole || err != nil {
		t.Errorf("parseChecksum = %x, %v", got, err)
	}
}

// TestPartSizes: 5 TiB fit into 10,000 parts, and parts are small while they can.
func TestPartSizes(t *testing.T) {
	const tebibyte = 1 << 40
	for _, size := range []int64{0, 1, MinPartSize, 1 << 30, 48 << 30, 49 << 30, tebibyte, 5*tebibyte - 1, 5 * tebibyte} {
		part := partSize(size, MinPartSize)
		if part < MinPartSize || (size+part-1)/part > maxParts {
			t.Errorf("%d bytes in parts of %d", size, part)
		}
		if size <= 48<<30 && part != MinPartSize {
			t.Errorf("%d bytes in parts of %d, more than need be", size, part)
		}
	}
	var sum int64
	for n := range maxParts {
		sum += growingPart(n, MinPartSize)
	}
	if sum < 5*tebibyte {
		t.Errorf("%d parts that grow hold %d bytes", maxParts, sum)
	}
}
