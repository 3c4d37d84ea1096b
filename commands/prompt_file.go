package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// A completer looks at what was typed and returns what can only come next, or
// else, if there are several ways on, a text that lists them.
type completer func(typed string) (next, choices string)

// maxChoices is how many names are listed.
const maxChoices = 100

// completeFile completes the name of a file or folder. It needs no quotes, as it
// is all of the line. Names that do not show as they are it leaves out, and
// hidden ones until their dot is typed.
func completeFile(typed string) (next, choices string) {
	dir, start := filepath.Split(typed)
	entries, _ := os.ReadDir(filepath.Join(dir, ".")) // of one that cannot be read, nothing
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, start) || printable(name) != name || start == "" && name[0] == '.' {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			name += string(filepath.Separator)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "", ""
	}
	prefix := names[0]
	for _, name := range names[1:] {
		prefix = prefix[:shared(prefix, name)]
	}
	if next = prefix[len(start):]; next != "" || len(names) == 1 {
		return next, ""
	}
	more := ""
	if n := len(names) - maxChoices; n > 0 {
		names, more = names[:maxChoices], fmt.Sprintf("  and %d more", n)
	}
	return "", strings.Join(names, "  ") + more + "\n"
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
