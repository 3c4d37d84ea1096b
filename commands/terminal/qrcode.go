package terminal

import (
	"fmt"
	"strings"

	qrcode "github.com/skip2/go-qrcode"
)

// Picture shows a text, unless it is "", as a QR code to a person with a camera: on a
// terminal that is wide enough, and not to programs.
func (c *Console) Picture(text string) {
	columns := lineTerminal(c.Out)
	if text == "" || columns == nil {
		return
	}
	code, err := qrcode.New(text, qrcode.Low)
	if err != nil { // too much for a code
		return
	}
	if dots := code.Bitmap(); len(dots) < columns() {
		fmt.Fprint(c, drawDots(dots))
	}
}

const (
	blackOnWhite = "\x1b[38;5;16;48;5;231m" // whatever the terminal's own colours are
	ownColours   = "\x1b[0m"
)

// drawDots draws square dots, two to a character.
func drawDots(dots [][]bool) string {
	var b strings.Builder
	for y := 0; y < len(dots); y += 2 {
		b.WriteString(blackOnWhite)
		for x, upper := range dots[y] {
			lower := y+1 < len(dots) && dots[y+1][x]
			switch {
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteString(ownColours + "\n")
	}
	return b.String()
}
