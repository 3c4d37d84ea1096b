// Package terminaltest shows tests what a person would see: it emulates a screen, and holds
// what was seen in golden files.
package terminaltest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

// A Screen is a terminal as far as progress needs one: it wraps, returns,
// erases, and knows wide characters. It may be used by several goroutines.
type Screen struct {
	Reflows bool // whether a change of the width wraps lines again

	mu     sync.Mutex
	after  func(string)
	width  int
	rows   []row
	x, y   int
	noWrap bool
	rest   string // of a write that ended within a character or sequence
}

// A row has a string for each column: "" behind a wide character.
type row struct {
	cells   []string
	wrapped bool // goes on in the next row
}

func NewScreen(width int) *Screen { return &Screen{width: width, rows: make([]row, 1)} }

func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.write(string(p))
	after := s.after
	s.mu.Unlock()
	if after != nil {
		after(string(p))
	}
	return len(p), nil
}

// IsTerminal is what tells a console so.
func (s *Screen) IsTerminal() bool { return true }

// AfterWrite sets what is called after each write, with what it was.
func (s *Screen) AfterWrite(f func(string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = f
}

func (s *Screen) write(text string) {
	for text = s.rest + text; text != ""; {
		if text[0] == 0x1b {
			end := strings.IndexFunc(text, func(r rune) bool { return r >= 'A' && r <= 'z' && r != '[' })
			if end < 0 {
				break
			}
			s.sequence(text[:end+1])
			text = text[end+1:]
			continue
		}
		if !utf8.FullRuneInString(text) {
			break
		}
		r, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		switch r {
		case '\r':
			s.x = 0
		case '\n':
			s.x = 0 // as the driver of a terminal adds
			s.down()
		default:
			s.put(r)
		}
	}
	s.rest = text
}

func (s *Screen) sequence(q string) {
	n, _ := strconv.Atoi(q[2 : len(q)-1])
	switch q[len(q)-1] {
	case 'A':
		s.y = max(0, s.y-max(1, n))
		return
	case 'C':
		s.x = min(s.width-1, s.x+max(1, n))
		return
	case 'D':
		s.x = max(0, s.x-max(1, n))
		return
	}
	switch q {
	case "\x1b[J":
		s.rows = s.rows[:s.y+1]
		if r := &s.rows[s.y]; s.x < len(r.cells) {
			r.cells = r.cells[:s.x]
		}
		s.rows[s.y].wrapped = false
	case "\x1b[?7l":
		s.noWrap = true
	case "\x1b[?7h":
		s.noWrap = false
	default:
		panic(fmt.Sprintf("unknown sequence %q", q))
	}
}

func (s *Screen) down() {
	if s.y++; s.y == len(s.rows) {
		s.rows = append(s.rows, row{})
	}
}

func (s *Screen) put(r rune) {
	wide := displaywidth.Rune(r) // many terminals know no characters of several code points
	row := &s.rows[s.y]
	if wide == 0 {
		row.cells[s.x-1] += string(r)
		return
	}
	if s.x+wide > s.width {
		if s.noWrap {
			s.x = s.width - wide
		} else {
			row.wrapped = true
			s.x = 0
			s.down()
			row = &s.rows[s.y]
		}
	}
	for len(row.cells) < s.x+wide {
		row.cells = append(row.cells, " ")
	}
	row.cells[s.x] = string(r)
	for i := 1; i < wide; i++ {
		row.cells[s.x+i] = ""
	}
	s.x += wide
}

// Resize changes the width, as terminals do that reflow, and as others.
func (s *Screen) Resize(width int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.width = width
	if !s.Reflows {
		for i, r := range s.rows {
			s.rows[i].cells = r.cells[:min(len(r.cells), width)]
		}
		s.x = min(s.x, width-1)
		return
	}
	old, y := s.rows, s.y
	s.rows = nil
	for i := 0; i < len(old); i++ {
		var cells []string
		cursor := -1
		for ; ; i++ {
			if i == y {
				cursor = len(cells) + s.x
			}
			cells = append(cells, old[i].cells...)
			if !old[i].wrapped {
				break
			}
		}
		start := len(s.rows)
		for len(cells) > width {
			s.rows = append(s.rows, row{cells[:width:width], true})
			cells = cells[width:]
		}
		s.rows = append(s.rows, row{cells, false})
		if cursor >= 0 {
			s.y, s.x = start+cursor/width, cursor%width
		}
	}
}

// Width is that of the screen.
func (s *Screen) Width() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.width
}

// Cursor is where it is.
func (s *Screen) Cursor() (row, column int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.y, s.x
}

// Lines returns what is to be seen, without spaces at the end of lines and
// empty lines at the end.
func (s *Screen) Lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, r := range s.rows {
		lines = append(lines, strings.TrimRight(strings.Join(r.cells, ""), " "))
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
