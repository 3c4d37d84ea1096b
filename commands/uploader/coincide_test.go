package uploader

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/labnet/labnet/wire"
)

// TestCoincidence announces names, and some items again ("~1" is the first).
func TestCoincidence(t *testing.T) {
	const any, other, none = wire.ReplaceAny, wire.ReplaceOther, wire.ReplaceNone
	tests := []struct {
		names string
		want  []wire.Replacement
	}{
		{"a b c", []wire.Replacement{any, any, any}},
		{"a a a", []wire.Replacement{any, none, none}},
		{"a A b B a A", []wire.Replacement{any, other, any, other, none, none}},
		{"A a AA a", []wire.Replacement{any, other, any, none}},
		{"d/é d/e\u0301", []wire.Replacement{any, other}}, // not the same to Linux
		{"straße STRASSE strasse", []wire.Replacement{any, other, other}},
		{"Docs/x docs/x", []wire.Replacement{any, other}},
		{"a ~1", []wire.Replacement{any, any}},                   // tried again: it is the same file
		{"a b ~2 ~1", []wire.Replacement{any, any, any, any}},    // likewise
		{"a a ~1 ~2", []wire.Replacement{any, none, none, none}}, // the second may be there by now
		{"a A ~1 ~2", []wire.Replacement{any, other, other, other}},
		{"r_(2).pdf r.pdf", []wire.Replacement{any, any}},
		{"r.pdf r_(2).pdf", []wire.Replacement{any, any}},
		{"r.pdf r.pdf r_(2).pdf s_(2).pdf", []wire.Replacement{any, none, none, any}},
		{"r.pdf R.pdf R_(2).pdf", []wire.Replacement{any, other, other}},
		{"- -", []wire.Replacement{any, any}}, // the server makes a name
	}
	for _, tt := range tests {
		t.Run(tt.names, func(t *testing.T) {
			var c coincidence
			var items []*item
			for i, name := range strings.Fields(tt.names) {
				it := &item{}
				if n, again := strings.CutPrefix(name, "~"); again {
					it = items[n[0]-'1']
				} else if name != "-" {
					it.announcement.Name = strings.ReplaceAll(name, "_", " ")
				}
				items = append(items, it)
				if got := c.announce(it); got != tt.want[i] {
					t.Errorf("%s: %v, want %v", name, got, tt.want[i])
				}
			}
		})
	}
}

// TestCoincidenceIsSmall announces many names.
func TestCoincidenceIsSmall(t *testing.T) {
	const many = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var c coincidence
	for i := range many {
		c.announce(&item{announcement: wire.Announcement{Name: fmt.Sprintf("some/folder/file %d.txt", i)}})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (after.HeapAlloc - before.HeapAlloc) / many; each > 48 {
		t.Errorf("%d bytes a name", each)
	}
	runtime.KeepAlive(&c)
}
