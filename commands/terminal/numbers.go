package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// About writes a time as 5m, 1m30s or 0.4s, with no more than it takes to imagine it.
func About(d time.Duration) string {
	switch {
	case d >= time.Minute:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(time.Second / 10)
	default:
		d = max(d.Round(time.Millisecond), time.Millisecond)
	}
	return WithoutZeros(d.String())
}

// WithoutZeros shortens a time such as 24h0m0s to 24h.
func WithoutZeros(text string) string {
	for _, zeros := range []string{"h0m0s", "m0s"} {
		if short, is := strings.CutSuffix(text, zeros); is {
			return short + zeros[:1]
		}
	}
	return text
}

// NumberOf writes a number of things: 1 file, 1,234 files.
func NumberOf(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return Grouped(n) + " " + thing
}

// Grouped writes a number with commas between thousands.
func Grouped(n int) string { return humanize.Comma(int64(n)) }

// Counted writes a number of things.
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
