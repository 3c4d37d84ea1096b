// Package escape shows names and texts of others so that a terminal obeys none of their characters.
package escape

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Name returns a name as it is, or quoted where it holds characters that
// do not show or that change how others show.
func Name(s string) string {
	if s == "" {
		return `""`
	}
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}

// Text is Name for a text, which may have lines and tabs.
func Text(s string) string {
	if bare := strings.NewReplacer("\n", "", "\t", "").Replace(s); Name(bare) == bare {
		return s
	}
	return strconv.Quote(s)
}

// JSON replaces the characters of a line of JSON that a terminal
// could obey by their escapes. They stand only within strings there.
func JSON(line []byte) []byte {
	var b []byte
	for i, r := range string(line) {
		switch visible := r == '\n' || unicode.IsPrint(r); {
		case visible && b != nil:
			b = utf8.AppendRune(b, r)
		case !visible:
			if b == nil {
				b = append(b, line[:i]...)
			}
			for _, unit := range utf16.Encode([]rune{r}) {
				b = fmt.Appendf(b, `\u%04x`, unit)
			}
		}
	}
	if b == nil {
		return line
	}
	return b
}

// A JSONWriter writes lines of JSON as JSON does.
type JSONWriter struct{ io.Writer }

func (w JSONWriter) Write(p []byte) (int, error) {
	if _, err := w.Writer.Write(JSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
