// Package size reads and shows numbers of bytes.
package size

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
)

// Parse reads a number of bytes, with or without a unit. It wants no commas: to
// some they part thousands, and to others they begin a fraction.
func Parse(s string) (int64, error) {
	n, err := humanize.ParseBytes(s)
	switch {
	case err != nil && !strings.Contains(err.Error(), "too large"), strings.Contains(s, ","):
		return 0, fmt.Errorf("%q is not a size such as 500MB or 2GiB", s)
	case err != nil || int64(n) < 0:
		return 0, fmt.Errorf("%s is too large", s)
	}
	return int64(n), nil
}

// Shortage says how many bytes are needed, unless that is negative, and free.
func Shortage(needed int64, free string) string {
	if needed < 0 {
		return free + " free"
	}
	return humanize.IBytes(uint64(needed)) + " needed, " + free + " free"
}
