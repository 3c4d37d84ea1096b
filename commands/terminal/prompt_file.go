package terminal

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/commands/escape"
)

// A Completer looks at what was typed and returns what it can only mean so far,
// or else, if there are several ways on, a text that lists them on a terminal of
// so many columns.
type Completer func(typed string, columns int) (completed, choices string)

// maxChoices is how many names are listed.
const maxChoices = 100

// FileNames returns the files that a line names: one or several, as in a shell,
// with quotes, "~" and patterns. That is also what terminals insert for a file
// that is dragged onto them. What exists as it is typed needs no quotes.
func FileNames(line string) []string {
	bare := strings.TrimSpace(line)
	words := splitWords(line, runtime.GOOS == "windows")
	switch {
	case exists(line):
		return []string{notInput(line)}
	case exists(bare) || len(words) > 0 && words[len(words)-1].open != 0:
		return []string{notInput(bare)}
	}
	var names []string
	for _, w := range words {
		for _, name := range w.names() {
			names = append(names, notInput(name))
		}
	}
	return names
}

// notInput returns a name for a file of that name. "-" would be the input.
func notInput(name string) string {
	if name == "-" {
		return "." + string(filepath.Separator) + name
	}
	return name
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return name != "" && err == nil
}

// A word is one of a line, as a shell would have it.
type word struct {
	raw     string // as it was typed
	start   int    // where it is in the line
	text    string // without quotes
	pattern string // for filepath.Match, if it is one
	glob    bool   // whether it is one
	home    bool   // whether it begins with a "~" for the home folder
	open    rune   // what is not closed: a quote, or a backslash before nothing
}

// splitWords splits a line at spaces outside of quotes. On Windows a backslash
// separates folders, and only "…" quotes.
func splitWords(line string, windows bool) []word {
	var words []word
	var w *word // of words, if at is in it
	for at := 0; at < len(line); {
		r, size := utf8.DecodeRuneInString(line[at:])
		space := r == ' ' || r == '\t'
		rest := line[at+size:]
		switch {
		case space && (w == nil || w.open == 0):
			w = nil
			at += size
			continue
		case w == nil:
			home := r == '~' && (rest == "" || os.IsPathSeparator(rest[0]))
			words = append(words, word{start: at, home: home})
			w = &words[len(words)-1]
		}
		switch {
		case w.open == '"' && r == '\\' && !windows && rest != "" && strings.Contains("\"\\$`", rest[:1]):
			at += size
			w.add(rest[:1], true, windows)
		case w.open == r && r != '\\':
			w.open = 0
		case w.open == 0 && (r == '"' || !windows && (r == '\'' || r == '\\')):
			w.open = r
		default:
			w.add(line[at:at+size], w.open != 0, windows)
			if w.open == '\\' {
				w.open = 0
			}
		}
		at += size
		w.raw = line[w.start:at]
	}
	return words
}

// add adds a character, which stands for itself if it is quoted.
func (w *word) add(c string, quoted, windows bool) {
	w.text += c
	special := strings.Contains("*?[", c)
	switch {
	case quoted && special:
		c = "[" + c + "]"
	case quoted && c == `\` && !windows:
		c = `\\`
	case !quoted && c == "!" && strings.HasSuffix(w.pattern, "[") && w.glob:
		c = "^" // in a shell, either
	case !quoted && special:
		w.glob = true
	}
	w.pattern += c
}

// names returns the files that a word means.
func (w word) names() []string {
	if exists(w.raw) {
		return []string{w.raw}
	}
	if w.glob {
		if names := w.matches(); len(names) > 0 {
			return names
		}
	}
	return []string{w.path(w.text)}
}

// path returns a path that begins as the word does, with the home folder's name.
func (w word) path(text string) string {
	if home, err := os.UserHomeDir(); w.home && err == nil {
		return home + text[len("~"):]
	}
	return text
}

// matches returns the files that match the pattern: hidden ones only if it says
// so, and only folders if it ends like one.
func (w word) matches() []string {
	pattern := w.pattern
	if home, err := os.UserHomeDir(); w.home && err == nil {
		var quoted word
		for _, r := range home {
			quoted.add(string(r), true, runtime.GOOS == "windows")
		}
		pattern = quoted.pattern + pattern[len("~"):]
	}
	bare := strings.TrimRightFunc(pattern, func(r rune) bool { return r == '/' || r == filepath.Separator })
	names, _ := filepath.Glob(bare) // of what is not a pattern, nothing
	return slices.DeleteFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return hides(name, bare) || bare != pattern && (err != nil || !info.IsDir())
	})
}

// hides reports whether a name that matches a pattern has a hidden part that the
// pattern does not spell.
func hides(name, pattern string) bool {
	names, patterns := strings.Split(filepath.ToSlash(name), "/"), strings.Split(filepath.ToSlash(pattern), "/")
	for i, j := len(names), len(patterns); i > 0 && j > 0; { // the beginnings may differ: "./*"
		i, j = i-1, j-1
		if strings.HasPrefix(names[i], ".") && !strings.HasPrefix(patterns[j], ".") {
			return true
		}
	}
	return false
}

// CompleteFile completes the last word as the name of a file or folder, with the
// quotes that it needs. All that was typed can be one name, too. It leaves out
// names that do not show as they are, and hidden ones until their dot is typed.
func CompleteFile(typed string, columns int) (completed, choices string) {
	words := splitWords(typed, runtime.GOOS == "windows")
	w := word{start: len(typed)}
	if n := len(words); n > 0 && words[n-1].start+len(words[n-1].raw) == len(typed) {
		w = words[n-1]
	}
	if len(words) > 1 && !exists(words[0].text) || w.text != w.raw {
		whole := word{raw: typed, text: typed}
		if completed, choices = whole.complete(columns); completed != typed || choices != "" {
			return completed, choices
		}
	}
	completed, choices = w.complete(columns)
	return typed[:w.start] + completed, choices
}

// complete completes a word.
func (w word) complete(columns int) (completed, choices string) {
	if w.home && w.text == "~" {
		return "~" + string(filepath.Separator), ""
	}
	dir, start := filepath.Split(w.text)
	entries, _ := os.ReadDir(filepath.Join(w.path(dir), ".")) // of one that cannot be read, nothing
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(norm.NFC.String(name), norm.NFC.String(start)) || escape.Name(name) != name || start == "" && name[0] == '.' {
			continue
		}
		if info, err := os.Stat(filepath.Join(w.path(dir), name)); err == nil && info.IsDir() {
			name += string(filepath.Separator)
		}
		names = append(names, name)
	}
	switch len(names) {
	case 0:
		return w.raw, ""
	case 1:
		return w.typed(dir+names[0], !os.IsPathSeparator(names[0][len(names[0])-1])), ""
	}
	prefix := names[0]
	for _, name := range names[1:] {
		prefix = prefix[:shared(prefix, name)]
	}
	if len(norm.NFC.String(prefix)) > len(norm.NFC.String(start)) {
		return w.typed(dir+prefix, false), ""
	}
	more := ""
	if n := len(names) - maxChoices; n > 0 {
		names, more = names[:maxChoices], fmt.Sprintf("and %d more\n", n)
	}
	return w.raw, inColumns(names, columns) + more
}

// typed returns how to type a text in place of the word, in the quotes that it
// has begun with or, if there are none, without. If it is all of a name, they are
// closed, and a space follows.
func (w word) typed(text string, all bool) string {
	var b strings.Builder
	if w.home {
		b.WriteString(text[:len("~/")])
		text = text[len("~/"):]
	}
	special := " \t'\"\\*?["
	switch w.open {
	case '\'':
		b.WriteString("'" + strings.ReplaceAll(text, "'", `'\''`))
	case '"':
		b.WriteByte('"')
		special = "\"\\$`"
		fallthrough
	default:
		for i, r := range text {
			if strings.ContainsRune(special, r) || r == '~' && i == 0 && !w.home && w.open == 0 {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
	}
	if all && (w.open == '\'' || w.open == '"') {
		b.WriteRune(w.open)
	}
	if all {
		b.WriteByte(' ')
	}
	return b.String()
}

// inColumns lists names in as many columns as there is space for, in order from
// top to bottom, as ls does.
func inColumns(names []string, columns int) string {
	const gap = 2
	rows := 1
	var widths []int
	for ; rows < len(names); rows++ {
		widths = widths[:0]
		total := -gap
		for column := range slices.Chunk(names, rows) {
			width := 0
			for _, name := range column {
				width = max(width, displaywidth.String(name))
			}
			widths = append(widths, width)
			total += width + gap
		}
		if total < columns {
			break
		}
	}
	var b strings.Builder
	for row := range rows {
		for i := row; i < len(names); i += rows {
			b.WriteString(names[i])
			if i+rows < len(names) {
				b.WriteString(strings.Repeat(" ", widths[i/rows]-displaywidth.String(names[i])+gap))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shared returns how many bytes two names begin with alike, in whole characters.
func shared(a, b string) int {
	n := 0
	for _, r := range a {
		if !strings.HasPrefix(b[n:], string(r)) {
			break
		}
		n += utf8.RuneLen(r)
	}
	return n
}
