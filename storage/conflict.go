package storage

import "strconv"

import "unicode/utf8"

import "strings"

import "path"

import "fmt"

// A Conflict says what a store does with a file whose name is taken by other
// contents.
type Conflict int

const (
	// Rename keeps both: the newcomer becomes "report (2).pdf".
	Rename Conflict = iota
	// Replace keeps the newcomer only.
	Replace
	// Refuse keeps the old file only and fails with ErrExists.
	Refuse
)

var conflicts = [...]string{Rename: "rename", Replace: "replace", Refuse: "refuse"}

func (c Conflict) String() string { return conflicts[c] }

// A Replacement restricts, for one file, a store that was told to replace files.
type Replacement int

const (
	// ReplaceAny lets the store do as it was told.
	ReplaceAny Replacement = iota
	// ReplaceOther is for a file whose sender has just sent another one under a
	// name that differs in spelling only: if the store takes both for one name,
	// the file is kept beside what is there, as by Rename.
	ReplaceOther
	// ReplaceNone is for a file whose sender has just sent another one under the
	// same name: it is kept beside what is there, as by Rename.
	ReplaceNone
	// RefuseTaken is for a file that must be the first of its name: else it fails, as by
	// Refuse.
	RefuseTaken
)

// ParseConflict is the inverse of [Conflict.String].
func ParseConflict(s string) (Conflict, error) {
	for c, name := range conflicts {
		if s == name {
			return Conflict(c), nil
		}
	}
	return 0, fmt.Errorf("%q is none of rename, replace and refuse", s)
}

// NumberedName is the name that the n-th file to be called name is kept under:
// "report.pdf" becomes "report (2).pdf". The number goes before the last
// extension ("a.tar (2).gz"), unless what follows the last dot is too long to
// be one; dots that a name begins with begin none (".env (2)"). The first file
// keeps its name. If [Names.Check] accepts name it accepts the result, too: a stem
// that is too long loses its last characters.
func NumberedName(name string, n int) string {
	if n < 2 {
		return name
	}
	folder, base := path.Split(name)
	ext := extension(base)
	number := fmt.Sprintf(" (%d)", n)
	stem := strings.TrimSuffix(base, ext)
	if room := maxComponent - len(number) - len(ext); len(stem) > room {
		for !utf8.RuneStart(stem[room]) {
			room--
		}
		stem = stem[:room]
	}
	return folder + stem + number + ext
}

// extension is what follows a number in the last component of a name.
func extension(base string) string {
	ext := path.Ext(strings.TrimLeft(base, "."))
	if len(ext) > 32 {
		return ""
	}
	return ext
}

// Unnumbered returns the name that NumberedName has made this one of, if it may
// have: it tells nothing of a stem that lost characters.
func Unnumbered(name string) (first string, ok bool) {
	folder, base := path.Split(name)
	ext := extension(base)
	stem, closed := strings.CutSuffix(strings.TrimSuffix(base, ext), ")")
	i := strings.LastIndex(stem, " (")
	if !closed || i < 0 {
		return "", false
	}
	n, err := strconv.Atoi(stem[i+len(" ("):])
	first = folder + stem[:i] + ext
	return first, err == nil && NumberedName(first, n) == name && n > 1
}
