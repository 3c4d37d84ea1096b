package storage

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
