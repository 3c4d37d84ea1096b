//go:build unix

package terminal

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

// A lineEditor edits one line at a time on a terminal that hands over each key
// and obeys ECMA-48. The cursor moves over what people take for a character: a
// wide one, an emoji of several code points, a letter with its accents.
//
// Rows are broken by the editor and nothing else wraps, and the cursor is put
// where it belongs by writing what is left of it. So a terminal that shows some
// character wider or narrower than expected does not confuse it.
type lineEditor struct {
	in       *bufio.Reader // of one byte: what comes after the line is the next program's
	out      io.Writer
	size     func() (columns, rows int) // no columns while the terminal is another's
	complete Completer
	suspend  func(key byte) bool // reports whether it took the key
	hidden   bool                // nothing of a line is shown, or recalled

	mu      sync.Mutex // read changes a line while others show it
	prompt  string
	line    string
	at      int      // of the cursor in line, in bytes
	history []string // oldest first
	recall  int      // which of history is edited; len(history) is the new line
	latest  string   // the new line, while an old one is recalled

	// What the terminal shows of it.
	shown  shownLine
	top    int // the first row that is shown: a line can be longer than the screen
	active bool
}

// A shownLine is what a terminal shows, up to its cursor.
type shownLine struct {
	columns int    // of the terminal
	above   []int  // the widths of the rows above the cursor
	column  int    // of the cursor
	tail    string // the last character of the line, if the cursor is behind it
	atEnd   bool
}

// edge is how many columns are left free at the end of a row, where a character
// that is wider than expected would wrap, if nothing prevents that.
const edge = 4

// maxHistory is how many lines can be recalled.
const maxHistory = 100

// bindings are the functions of keys, by what terminals send for them: xterm,
// tmux and screen, the consoles of Linux and FreeBSD, rxvt and PuTTY.
var bindings = func() map[string]func(*lineEditor) {
	b := make(map[string]func(*lineEditor))
	bind := func(f func(*lineEditor), keys ...string) {
		for _, key := range keys {
			b[key] = f
		}
	}
	bind((*lineEditor).home, "\x01", "\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~")
	bind((*lineEditor).end, "\x05", "\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~")
	bind((*lineEditor).left, "\x02", "\x1b[D", "\x1bOD")
	bind((*lineEditor).right, "\x06", "\x1b[C", "\x1bOC")
	bind((*lineEditor).wordLeft, "\x1bb", "\x1b[1;5D", "\x1b[1;3D", "\x1b[5D", "\x1bOd", "\x1b\x1b[D")
	bind((*lineEditor).wordRight, "\x1bf", "\x1b[1;5C", "\x1b[1;3C", "\x1b[5C", "\x1bOc", "\x1b\x1b[C")
	bind((*lineEditor).older, "\x10", "\x1b[A", "\x1bOA")
	bind((*lineEditor).newer, "\x0e", "\x1b[B", "\x1bOB")
	bind((*lineEditor).erase, "\b", "\x7f")
	bind((*lineEditor).delete, "\x04", "\x1b[3~")
	bind((*lineEditor).eraseWord, "\x17", "\x1b\x7f", "\x1b\b")
	bind((*lineEditor).deleteWord, "\x1bd", "\x1b[3;5~", "\x1b[3;3~", "\x1b[3^")
	bind((*lineEditor).eraseToStart, "\x15")
	bind((*lineEditor).deleteToEnd, "\x0b")
	bind((*lineEditor).transpose, "\x14")
	bind((*lineEditor).clear, "\x0c")
	return b
}()

// read lets a person edit a line, and returns it. Its error is io.EOF after
// Ctrl-D on an empty line.
func (e *lineEditor) read(prompt string) (string, error) {
	e.change(func() {
		e.prompt, e.line, e.at, e.recall = prompt, "", 0, len(e.history)
		e.active = true
		e.forget()
		if columns, _ := e.size(); displaywidth.String(prompt) > columns-edge {
			e.draw()
		} else {
			io.WriteString(e.out, prompt)
			e.shown = shownLine{columns: columns, column: displaywidth.String(prompt), atEnd: true}
		}
	})
	defer e.change(func() { e.active = false })
	for {
		key, err := e.readKey()
		switch {
		case err != nil:
			return "", err
		case key == "\r" || key == "\n":
			e.change(e.enter)
			return e.line, nil
		case key == "\x03", key == "\x04" && e.line == "":
			return "", io.EOF
		case len(key) == 1 && e.suspend(key[0]):
		case key == "\t" && e.complete != nil:
			e.tab()
		default:
			e.change(func() { e.press(key) })
		}
	}
}

// change changes the line, or what is shown of it.
func (e *lineEditor) change(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

// readKey returns a character or what a key sends.
func (e *lineEditor) readKey() (string, error) {
	b, err := e.in.ReadByte()
	switch {
	case err != nil:
		return "", err
	case b == 0:
		return "\x04", nil // what Linux makes of a Ctrl-D typed before the prompt
	case b == 0x1b:
		return e.readSequence()
	}
	key := []byte{b}
	for !utf8.FullRune(key) {
		if b, err = e.in.ReadByte(); err != nil {
			return "", err
		}
		if utf8.RuneStart(b) { // it was no UTF-8
			e.in.UnreadByte()
			break
		}
		key = append(key, b)
	}
	return string(key), nil
}

// readSequence reads what follows ESC, which a key sends or a person typed, and
// returns both. A control character is one by itself then.
func (e *lineEditor) readSequence() (string, error) {
	key := "\x1b"
	b, err := e.in.ReadByte()
	for ; err == nil && b == 0x1b; b, err = e.in.ReadByte() {
		key = "\x1b\x1b" // Alt, and a key that sends a sequence
	}
	if err != nil {
		return "", err
	}
	if b != '[' && b != 'O' {
		e.in.UnreadByte()
		next, err := e.readKey()
		if b < ' ' && b != '\b' {
			key = ""
		}
		return key + next, err
	}
	for key += string(b); ; {
		next, err := e.in.ReadByte()
		if err != nil {
			return "", err
		}
		key += string(rune(next))
		if b == 'O' || next != '[' && next >= '@' && next <= '~' { // "[[" is of function keys of Linux
			return key, nil
		}
	}
}

// press does what a key is for. What is no character and has no function is
// ignored.
func (e *lineEditor) press(key string) {
	if do, bound := bindings[key]; bound {
		do(e)
	} else if rest, double := strings.CutPrefix(key, "\x1b\x1b"); double {
		e.press("\x1b" + rest)
	} else if r, _ := utf8.DecodeRuneInString(key); key == "\t" || !unicode.IsControl(r) {
		e.insert(key)
	}
}

func (e *lineEditor) insert(text string) {
	if len(e.line)+len(text) > MaxLine {
		io.WriteString(e.out, "\a")
		return
	}
	e.line = e.line[:e.at] + text + e.line[e.at:]
	e.at += len(text)
	if !e.hidden && !e.append(text) {
		e.draw()
	}
}

// append shows what was typed at the end of the line, if nothing else changes on
// the screen by that.
func (e *lineEditor) append(text string) bool {
	columns, _ := e.size()
	g := displaywidth.StringGraphemes(e.shown.tail + text)
	if g.Next(); e.shown.tail != "" {
		if g.Value() != e.shown.tail || !g.Next() {
			return false
		}
	}
	if !e.shown.atEnd || e.at < len(e.line) || columns != e.shown.columns || text == "\t" || !utf8.ValidString(text) || e.shown.column+g.Width() > columns-edge {
		return false
	}
	io.WriteString(e.out, text)
	e.shown.column += g.Width()
	e.shown.tail = text
	return true
}

// A cell is a character on the screen.
type cell struct {
	text  string
	width int
	bytes int // of the line
}

// cells returns the characters of a text that begins in a column.
func cells(text string, column int) []cell {
	var all []cell
	for g := displaywidth.StringGraphemes(text); g.Next(); {
		c := cell{g.Value(), g.Width(), len(g.Value())}
		switch {
		case c.text == "\t":
			c.width = 8 - column%8
			c.text = strings.Repeat(" ", c.width)
		case !utf8.ValidString(c.text):
			c.text = strings.ToValidUTF8(c.text, "\uFFFD")
			c.width = displaywidth.String(c.text)
		}
		column += c.width
		all = append(all, c)
	}
	return all
}

// A screenRow is a row of the screen.
type screenRow struct {
	text  string
	width int
}

// layout breaks prompt and line into rows, and returns the row of the cursor and
// how much of its text is left of it.
func (e *lineEditor) layout(columns int) (rows []screenRow, row int, left screenRow) {
	all := cells(e.prompt, 0)
	cursor := len(all)
	if !e.hidden {
		all = append(all, cells(e.line, displaywidth.String(e.prompt))...)
		for at := 0; at < e.at; cursor++ {
			at += all[cursor].bytes
		}
	}
	rows = make([]screenRow, 1)
	for i := 0; i <= len(all); i++ {
		c := cell{width: 1} // the cursor behind the line
		if i < len(all) {
			c = all[i]
		}
		last := &rows[len(rows)-1]
		if last.width > 0 && last.width+c.width > columns && (i < len(all) || i == cursor) {
			rows = append(rows, screenRow{})
			last = &rows[len(rows)-1]
		}
		if i == cursor {
			row, left = len(rows)-1, *last
		}
		if i < len(all) {
			last.text += c.text
			last.width += c.width
		}
	}
	return rows, row, left
}

// draw shows prompt and line again, in place of what is shown of them.
func (e *lineEditor) draw() {
	columns, height := e.size()
	if !e.active || columns == 0 {
		return
	}
	up := e.rowsAbove(columns)
	rows, row, left := e.layout(columns)
	e.top = min(max(e.top, row-height+1), row)
	bottom := min(len(rows), e.top+height)
	var b strings.Builder
	b.WriteString("\x1b[?7l" + cursorUp(up) + eraseBelow)
	for i, r := range rows[e.top:bottom] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(r.text)
	}
	if row < bottom-1 || left != rows[row] {
		b.WriteString(cursorUp(bottom-1-row) + "\r" + left.text)
	}
	b.WriteString("\x1b[?7h")
	io.WriteString(e.out, b.String())
	e.shown = shownLine{columns: columns, column: left.width, atEnd: e.at == len(e.line)}
	for _, r := range rows[e.top:row] {
		e.shown.above = append(e.shown.above, r.width)
	}
	if e.shown.atEnd {
		e.shown.tail = e.line[e.before(e.at):]
	}
}

// rowsAbove returns how many rows are shown above that of the cursor. A terminal
// that has become narrower has made several of each that was wider: most do.
func (e *lineEditor) rowsAbove(columns int) int {
	n := e.shown.column / columns
	if columns >= e.shown.columns {
		n = 0
	}
	for _, width := range e.shown.above {
		n += max(1, (width+columns-1)/columns)
	}
	return n
}

func cursorUp(rows int) string {
	if rows == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA", rows)
}

// forget makes the next draw begin where the cursor is.
func (e *lineEditor) forget() { e.shown, e.top = shownLine{}, 0 }

// redraw shows the line again where the cursor is, as after another program has
// used the terminal.
func (e *lineEditor) redraw() {
	e.change(func() {
		e.forget()
		e.draw()
	})
}

// leave writes a text behind the line, which stays on the screen.
func (e *lineEditor) leave(text string) {
	e.change(func() {
		e.showEnd()
		io.WriteString(e.out, text)
	})
}

// showEnd puts the cursor behind the line, on the screen.
func (e *lineEditor) showEnd() {
	if !e.shown.atEnd {
		at := e.at
		e.at = len(e.line)
		e.draw()
		e.at = at
	}
}

// enter ends the editing, and adds the line to the history, which is one as
// shells have: of lines that are not empty, and differ.
func (e *lineEditor) enter() {
	e.showEnd()
	if e.shown.column > 0 || len(e.shown.above) == 0 { // not below a row that is full
		io.WriteString(e.out, "\r\n")
	}
	e.active = false
	if n := len(e.history); e.line != "" && !e.hidden && (n == 0 || e.history[n-1] != e.line) {
		e.history = append(e.history[max(0, n+1-maxHistory):], e.line)
	}
}

// tab completes what is left of the cursor, or lists how it can go on.
func (e *lineEditor) tab() {
	columns, _ := e.size()
	completed, choices := e.complete(e.line[:e.at], columns)
	e.change(func() {
		if choices == "" {
			e.line = completed + e.line[e.at:]
			e.at = len(completed)
			e.draw()
			return
		}
		io.WriteString(e.out, cursorUp(e.rowsAbove(max(columns, 1)))+eraseBelow+choices)
		e.forget()
		e.draw()
	})
}

func (e *lineEditor) moveTo(at int) {
	if at != e.at {
		e.at = at
		e.draw()
	}
}

// cut takes a part out of the line. The cursor is where it was.
func (e *lineEditor) cut(from, to int) {
	if from != to {
		e.line = e.line[:from] + e.line[to:]
		e.at = from
		e.draw()
	}
}

// before and after return where the character before or after a place begins or
// ends.
func (e *lineEditor) before(at int) (start int) {
	for next := 0; next < at; next = e.after(next) {
		start = next
	}
	return start
}

func (e *lineEditor) after(at int) int {
	g := displaywidth.StringGraphemes(e.line[at:])
	g.Next()
	return at + len(g.Value())
}

// pastWord returns the place behind the next word, past what is none before it.
func (e *lineEditor) pastWord(at int) int {
	for inside := false; at < len(e.line); at = e.after(at) {
		r, _ := utf8.DecodeRuneInString(e.line[at:])
		if inside && !inWord(r) {
			break
		}
		inside = inside || inWord(r)
	}
	return at
}

// wordStart returns where the word before the cursor begins, of characters that
// are in it.
func (e *lineEditor) wordStart(in func(rune) bool) int {
	start, inside := 0, false
	for at := 0; at < e.at; at = e.after(at) {
		r, _ := utf8.DecodeRuneInString(e.line[at:])
		if in(r) && !inside {
			start = at
		}
		inside = in(r)
	}
	return start
}

func inWord(r rune) bool   { return unicode.IsLetter(r) || unicode.IsNumber(r) }
func notSpace(r rune) bool { return !unicode.IsSpace(r) }

func (e *lineEditor) home()         { e.moveTo(0) }
func (e *lineEditor) end()          { e.moveTo(len(e.line)) }
func (e *lineEditor) left()         { e.moveTo(e.before(e.at)) }
func (e *lineEditor) right()        { e.moveTo(e.after(e.at)) }
func (e *lineEditor) wordLeft()     { e.moveTo(e.wordStart(inWord)) }
func (e *lineEditor) wordRight()    { e.moveTo(e.pastWord(e.at)) }
func (e *lineEditor) erase()        { e.cut(e.before(e.at), e.at) }
func (e *lineEditor) delete()       { e.cut(e.at, e.after(e.at)) }
func (e *lineEditor) eraseWord()    { e.cut(e.wordStart(notSpace), e.at) }
func (e *lineEditor) deleteWord()   { e.cut(e.at, e.pastWord(e.at)) }
func (e *lineEditor) eraseToStart() { e.cut(0, e.at) }
func (e *lineEditor) deleteToEnd()  { e.cut(e.at, len(e.line)) }

// transpose exchanges the two characters around the cursor, or the last two.
func (e *lineEditor) transpose() {
	middle := e.at
	if middle == len(e.line) {
		middle = e.before(middle)
	}
	if middle > 0 {
		start, end := e.before(middle), e.after(middle)
		e.line = e.line[:start] + e.line[middle:end] + e.line[start:middle] + e.line[end:]
		e.at = end
		e.draw()
	}
}

// clear clears the screen, except for the line.
func (e *lineEditor) clear() {
	io.WriteString(e.out, "\x1b[H\x1b[2J")
	e.forget()
	e.draw()
}

func (e *lineEditor) older() { e.recallLine(e.recall - 1) }
func (e *lineEditor) newer() { e.recallLine(e.recall + 1) }

// recallLine edits another line: one of the history, or the new one.
func (e *lineEditor) recallLine(n int) {
	if n < 0 || n > len(e.history) {
		return
	}
	if e.recall == len(e.history) {
		e.latest = e.line
	}
	e.recall, e.line = n, e.latest
	if n < len(e.history) {
		e.line = e.history[n]
	}
	e.at = len(e.line)
	e.draw()
}
