package uploader

import (
	"io"
	"testing"
)

// A buffer that was given back twice would be two files' at once, whose contents and
// digests would both be those of the last.
func TestBufferIsGivenBackOnce(t *testing.T) {
	for range 100 { // a pool may drop what it is given
		first := newContents(3)
		copy(first.left, "one")
		if got, err := io.ReadAll(first); string(got) != "one" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		first.Close()
		first.Close()
		a, b := newContents(1), newContents(1)
		if a.buffer == b.buffer {
			t.Fatal("two files in one buffer")
		}
	}
	if n, err := io.ReadAll(newContents(0)); len(n) > 0 || err != nil {
		t.Errorf("of an empty file: %q, %v", n, err)
	}
}
