package uploader

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
)

// A pattern says which files and folders upload leaves out, as a line of a
// .gitignore does:
//
//   - "*", "?" and "[…]" stand for characters but "/", as in package path, and
//     "[!…]" and "[^…]" for those not in the brackets; "\" before a character takes
//     away its meaning; "**" as a whole component stands for any components;
//   - with a "/" before its end it is about names from the folder on that is an
//     argument of upload, else about names in any folder, and the argument's own;
//   - with a "/" at its end it is about folders only;
//   - with a "!" before it, what an earlier pattern excludes is sent after all,
//     unless a folder that it is in is left out.
type pattern struct {
	text    string   // as it was given
	parts   []string // for path.Match; of one with a "/", from the argument on
	negated bool
	folders bool
}

var (
	errNoPattern   = errors.New("no pattern")
	errEmptyPart   = errors.New("it has an empty component")
	errDotPart     = errors.New(`no name has the component "." or ".."`)
	errBadUTF8     = errors.New("not valid UTF-8")
	errBadBrackets = errors.New(`a "[" without its "]", or a "\" at the end`)
)

// parsePattern reads a pattern.
func parsePattern(text string) (p pattern, err error) {
	p.text = text
	if !utf8.ValidString(text) {
		return p, errBadUTF8
	}
	rest := norm.NFC.String(text)
	rest, p.negated = strings.CutPrefix(rest, "!")
	rest, p.folders = strings.CutSuffix(rest, "/")
	rest, anchored := strings.CutPrefix(rest, "/")
	if rest == "" {
		return p, errNoPattern
	}
	p.parts = strings.Split(notIn.Replace(rest), "/")
	if !anchored && len(p.parts) == 1 {
		p.parts = []string{"**", p.parts[0]}
	}
	for _, part := range p.parts {
		switch part {
		case "":
			return p, errEmptyPart
		case ".", "..":
			return p, errDotPart
		}
		if _, err := path.Match(part, ""); err != nil {
			return p, errBadBrackets
		}
	}
	return p, nil
}

// notIn spells "[!" as package path does.
var notIn = strings.NewReplacer(`\\`, `\\`, `\[`, `\[`, "[!", "[^")

// matches reports whether the pattern is about a name of components.
func (p pattern) matches(name []string, folder bool) bool {
	return (folder || !p.folders) && matchParts(p.parts, name)
}

func matchParts(parts, name []string) bool {
	for len(parts) > 0 {
		if parts[0] == "**" {
			parts = parts[1:]
			if len(parts) == 0 {
				return len(name) > 0 // all that is in the folder, not the folder
			}
			for i := range name {
				if matchParts(parts, name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(parts[0], name[0]); !ok || err != nil {
			return false
		}
		parts, name = parts[1:], name[1:]
	}
	return len(name) == 0
}

// An Exclusion is some patterns, of which the last that is about a name counts.
type Exclusion []pattern

// ReadExclusion reads the patterns of files and those given by themselves, which
// come behind. Its error is about the command line.
func ReadExclusion(files, given []string) (e Exclusion, err error) {
	for _, file := range files {
		more, err := readPatterns(file)
		if err != nil {
			return nil, problem.Usage("--exclude-from %s: %w", escape.Name(file), err)
		}
		e = append(e, more...)
	}
	for _, text := range given {
		p, err := parsePattern(text)
		if err != nil {
			return nil, problem.Usage("--exclude %q: %w", text, err)
		}
		e = append(e, p)
	}
	return e, nil
}

// readPatterns reads a file of patterns, one on a line. Empty lines, and those that
// begin with "#", say nothing; "\#" and "\!" begin patterns that begin so. Spaces at
// the end of a line count only behind a backslash.
func readPatterns(file string) (list Exclusion, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.New(problem.Of(err).Message)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	n := 0
	for line := range bytes.Lines(text) {
		n++
		s := trimSpaces(strings.TrimRight(string(line), "\r\n"))
		if s == "" || s[0] == '#' {
			continue
		}
		p, err := parsePattern(s)
		if err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", n, s, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// trimSpaces removes spaces and tabs at the end of a line, except one behind a
// backslash.
func trimSpaces(s string) string {
	short := strings.TrimRight(s, " \t")
	behind := len(short) - len(strings.TrimRight(short, `\`))
	if behind%2 == 1 && len(short) < len(s) {
		short = s[:len(short)+1]
	}
	return short
}

// excludes returns the pattern by which a file or folder is left out, if so. Its
// name is slash-separated, from the folder on that is an argument.
func (e Exclusion) excludes(name string, folder bool) (by string, ok bool) {
	if len(e) == 0 {
		return "", false
	}
	parts := strings.Split(norm.NFC.String(name), "/")
	for _, p := range slices.Backward(e) {
		if p.matches(parts, folder) {
			return p.text, !p.negated
		}
	}
	return "", false
}

// excludesArgument is excludes for an argument, about which patterns that begin in
// the argument say nothing, and none if it is "." or "..".
func (e Exclusion) excludesArgument(arg string, folder bool) (by string, ok bool) {
	name := filepath.Base(filepath.Clean(arg))
	if name == "." || name == ".." {
		return "", false
	}
	floating := slices.DeleteFunc(slices.Clone(e), func(p pattern) bool { return p.parts[0] != "**" || len(p.parts) != 2 })
	return floating.excludes(name, folder)
}
