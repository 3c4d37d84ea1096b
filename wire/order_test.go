package wire_test

import (
	"slices"
	"strings"

	"github.com/labnet/labnet/wire"
)

// byOrder parts what a server said into the orders in which it may say it: the
// answers to announcements, those to END, CANCEL, texts and blobs, and by upload
// the refusals, which may come early.
func byOrder(says []string) (orders [3][]string) {
	accepted := map[string]bool{}
	for _, s := range says {
		c, _ := wire.ParseControl(strings.ReplaceAll(s, "|", "\x00"))
		n := c.Get("upload")
		order := 1
		switch {
		case c.Word == "ERROR" && accepted[n]:
			order = 2
		case n != "" && !accepted[n] && (c.Word != "SAVED" || c.Get("size") == ""):
			order = 0
			accepted[n] = c.Word == "OK"
		}
		orders[order] = append(orders[order], s)
	}
	slices.Sort(orders[2])
	return orders
}

// aboutSame returns those answers to announcements to which there is one among others.
func aboutSame(says, others []string) (list []string) {
	number := func(s string) string {
		c, _ := wire.ParseControl(strings.ReplaceAll(s, "|", "\x00"))
		return c.Get("upload")
	}
	for _, s := range says {
		if slices.ContainsFunc(others, func(o string) bool { return number(o) == number(s) }) {
			list = append(list, s)
		}
	}
	return list
}

// wantDidInAnyOrder is wantDid where several files may be published at once.
func (w *world) wantDidInAnyOrder(want ...string) {
	w.t.Helper()
	if got := w.did(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		w.t.Errorf("Received was told %q, want %q", got, want)
	}
}
