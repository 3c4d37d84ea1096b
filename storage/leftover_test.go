package storage

import (
	"slices"
	"strings"
	"testing"
)

// TestExcessOfLeftovers: what has to go is always the oldest of the owner who has most.
func TestExcessOfLeftovers(t *testing.T) {
	for _, test := range []struct {
		name  string
		list  string // an owner's letter and a size, oldest first
		most  int
		bytes int64
		want  string
	}{
		{"nothing", "a1 b2", 2, 3, ""},
		{"the oldest of one", "a1 a2 a3", 2, 100, "a1"},
		{"of who has more", "b1 a1 a2 a3", 3, 100, "a1"},
		{"of who has more, until both have as many", "b1 a1 a2 a3 b2", 2, 100, "a1 a2 b1"},
		{"of who has more bytes", "b1 b1 b1 a50 a60", 10, 62, "a50 a60"},
		{"first those that are too many", "a9 b1 b1 b1", 3, 10, "b1 a9"},
		{"all", "a1 b1", 0, 100, "a1 b1"},
		{"all bytes", "a1 b1", 10, -1, "a1 b1"},
		{"less than none", "a1", -1, 10, "a1"},
	} {
		var list []Leftover
		for _, word := range strings.Fields(test.list) {
			var size int64
			for _, digit := range word[1:] {
				size = size*10 + int64(digit-'0')
			}
			list = append(list, Leftover{Name: word, Owner: word[:1], Size: size})
		}
		var got []string
		for _, l := range (Bounds{Count: test.most, Bytes: test.bytes}).Excess(list) {
			got = append(got, l.Name)
		}
		if want := strings.Fields(test.want); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", test.name, got, want)
		}
	}
}
