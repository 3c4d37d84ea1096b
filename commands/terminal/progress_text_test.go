package terminal

import (
	"testing"
)

// TestFit: a line is never wider than the terminal, and keeps what matters.
func TestFit(t *testing.T) {
	parts := []part{
		{"a long name of a file, 一二三.tar.gz", 0, true}, {text: "1.5 GiB of 3.0 GiB"}, {text: "230 MiB/s", rank: 2},
		{text: "0:07 left", rank: 1}, {text: "resumed at 137 MiB", rank: 3},
	}
	for columns, want := range map[int]string{
		200: "a long name of a file, 一二三.tar.gz  1.5 GiB of 3.0 GiB  230 MiB/s  0:07 left  resumed at 137 MiB",
		80:  "a long n…三.tar.gz  1.5 GiB of 3.0 GiB  230 MiB/s  0:07 left  resumed at 137 MiB",
		60:  "a long n…三.tar.gz  1.5 GiB of 3.0 GiB  230 MiB/s  0:07 left",
		40:  "a long nam…三.tar.gz  1.5 GiB of 3.0 GiB",
		30:  "a lon…r.gz  1.5 GiB of 3.0 GiB",
		20:  "1.5 GiB of 3.0 GiB",
		10:  "1.5 G… GiB",
		2:   "1…",
		1:   "…",
		0:   "",
		-1:  "",
	} {
		if got := fit(parts, columns); got != want {
			t.Errorf("%3d: %q\nwant %q", columns, got, want)
		}
	}
	for columns := range 120 {
		if got := fit(parts, columns); columnsOf(got) > columns {
			t.Errorf("%q is wider than %d", got, columns)
		}
	}
}

func TestClock(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0:00", 9: "0:09", 754: "12:34", 3600: "1:00:00", 90061: "25:01:01",
		2 * 86400: "2 days", 99.9 * 86400: "99 days", 1e300: "over 99 days",
	} {
		if got := clock(seconds); got != want {
			t.Errorf("%g: %q, want %q", seconds, got, want)
		}
	}
}
