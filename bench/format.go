package main

import (
	"fmt"
	"strconv"
	"strings"
)

// bytes writes a number of bytes in the largest unit that divides it.
func bytes(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{gib, "GiB"}, {mib, "MiB"}, {kib, "KiB"}} {
		if n >= unit.size && n%unit.size == 0 {
			return fmt.Sprintf("%d %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// parseBytes reads a number with K, M or G behind it.
func parseBytes(text string) (int64, error) {
	digits := strings.TrimRight(text, "KMGiB ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a size like 512M or 4G", text)
	}
	unit, ok := map[string]int64{"": 1, "K": kib, "M": mib, "G": gib}[strings.TrimSuffix(text[len(digits):], "iB")]
	if !ok {
		return 0, fmt.Errorf("%q is not a size like 512M or 4G", text)
	}
	return n * unit, nil
}

// number writes an integer with commas between the thousands.
func number(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
