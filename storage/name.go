package storage

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of a name. The first two are in bytes: the first is NAME_MAX of every
// common filesystem, and both together stay below Linux's PATH_MAX of 4096.
const (
	maxComponent = 255
	maxFolders   = 3839 // everything before the last slash
	// maxDepth is how many components a name has at most. What a deep name costs
	// grows with more than the square of its depth: the components are opened one
	// after the other from the top for each of them, and Landlock walks up from
	// each. A hundred cost 0.15 s of processor time; real trees have up to some 30.
	maxDepth = 100
)

// Names says which names a store accepts. None of them leads out of the store
// or into what it keeps for itself, whatever that is spelled like, or misleads
// who reads them in a log: a name is valid UTF-8, slash-separated and relative,
// with at most 100 components, of which none is empty, "." or "..", or longer
// than 255 bytes; those before the last make up at most 3839 bytes. It has no
// control characters (Cc), no bidirectional controls and no line or paragraph
// separators.
type Names int

const (
	// Native accepts what this system can keep. On Windows that is none of the
	// characters and forms of name that it reserves.
	Native Names = iota
	// Portable accepts what every common system can keep under that very name
	// and everybody can read, so that a tree can be copied from one to another:
	// names in Unicode normalization form C, of characters that show (no
	// zero-width characters or variation selectors, and so no emoji joined by
	// U+200D) that Windows does not reserve (< > : " | ? * \), whose components do
	// not begin with a dot, end in a dot or a space, or mean a device to Windows.
	Portable
)

var allNames = [...]string{Native: "native", Portable: "portable"}

func (n Names) String() string { return allNames[n] }

// ParseNames is the inverse of [Names.String].
func ParseNames(s string) (Names, error) {
	for n, name := range allNames {
		if s == name {
			return Names(n), nil
		}
	}
	return 0, fmt.Errorf("%q is neither native nor portable", s)
}

// DefaultNames is Native, except on Windows, which other systems' names easily
// confuse.
func DefaultNames() Names { return defaultNames(runtime.GOOS) }

func defaultNames(system string) Names {
	if system == "windows" {
		return Portable
	}
	return Native
}

// Check reports as a *NameError why name may not be stored, or nil.
func (n Names) Check(name string) error {
	if reason := n.fault(name, runtime.GOOS); reason != "" {
		return &NameError{Name: name, Reason: reason}
	}
	return nil
}

// fault says what is wrong with a name on a system, or "".
func (n Names) fault(name, system string) string {
	switch {
	case name == "":
		return "it is empty"
	case !utf8.ValidString(name):
		return "it is not valid UTF-8"
	case strings.HasPrefix(name, "/"):
		return "it is absolute"
	case strings.LastIndexByte(name, '/') > maxFolders:
		return fmt.Sprintf("its folders are longer than %d bytes", maxFolders)
	case strings.Count(name, "/") >= maxDepth:
		return fmt.Sprintf("it has more than %d parts", maxDepth)
	}
	for _, r := range name {
		if what := misleading(r); what != "" {
			return fmt.Sprintf("it contains %U, %s", r, what)
		}
	}
	for component := range strings.SplitSeq(name, "/") {
		switch {
		case component == "":
			return "it has an empty component"
		case component == "." || component == "..":
			return fmt.Sprintf("it has the component %q", component)
		case len(component) > maxComponent:
			return fmt.Sprintf("a component is longer than %d bytes", maxComponent)
		}
	}
	if top, _, _ := strings.Cut(name, "/"); isReserved(top) {
		return ReservedReason(top)
	}
	if system == "windows" {
		if reason := windowsFault(name); reason != "" {
			return reason
		}
	}
	if n == Portable {
		if reason := portableFault(name); reason != "" {
			return reason + ", and the server accepts portable names only"
		}
	}
	return ""
}

// misleading says what a character is that no log should have to show, or "".
func misleading(r rune) string {
	switch {
	case r < ' ' || r >= 0x7f && unicode.Is(unicode.Cc, r):
		return "a control character"
	case r < unicode.MaxLatin1:
	case unicode.Is(unicode.Bidi_Control, r):
		return "a bidirectional control character"
	case unicode.In(r, unicode.Zl, unicode.Zp):
		return "which separates lines"
	}
	return ""
}

// windowsFault says what keeps Windows from storing a name, or "".
func windowsFault(name string) string {
	if reason := reservedFault(name); reason != "" {
		return reason
	}
	for c := range strings.SplitSeq(name, "/") {
		if reason := windowsComponentFault(c); reason != "" {
			return reason
		}
	}
	return ""
}

// reservedFault says which character of a name Windows reserves, or "": C:\x would lead
// to another place there.
func reservedFault(name string) string {
	if i := strings.IndexAny(name, `<>:"|?*\`); i >= 0 {
		return fmt.Sprintf("it contains %q, which Windows reserves", name[i])
	}
	return ""
}

func windowsComponentFault(c string) string {
	switch {
	case strings.TrimRightFunc(c, unicode.IsSpace) != c:
		return fmt.Sprintf("%q ends in a space", c)
	case strings.HasSuffix(c, "."):
		return fmt.Sprintf("%q ends in a dot", c)
	case isDevice(c):
		return fmt.Sprintf("%q is a device on Windows", c)
	}
	return ""
}

// portableFault says what some system would make of a name, or "".
func portableFault(name string) string {
	if !norm.NFC.IsNormalString(name) {
		return "it is not in Unicode normalization form C"
	}
	if reason := reservedFault(name); reason != "" {
		return reason
	}
	for _, r := range name {
		if isInvisible(r) {
			return fmt.Sprintf("it contains %U, an invisible character", r)
		}
	}
	for c := range strings.SplitSeq(name, "/") {
		if c[0] == '.' {
			return fmt.Sprintf("%q begins with a dot", c)
		}
		if reason := windowsComponentFault(c); reason != "" {
			return reason
		}
	}
	return ""
}

// isInvisible reports whether a character has the property
// Default_Ignorable_Code_Point, and some more.
func isInvisible(r rune) bool {
	return r > unicode.MaxASCII &&
		unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// Hidden is the folder at the top of a store that is the store's own. No name that is
// accepted leads into it.
const Hidden = ".labnet"

// isReserved reports whether some system would take a component at the top of a
// store for the hidden folder: most ignore case, and the normalization form or
// invisible characters (HFS+, APFS, ext4 with casefold, ZFS); Windows ignores dots
// and spaces at the end and takes a backslash for a slash, and what follows a colon
// for the name of a stream. See mayAlias for short names.
func isReserved(component string) bool {
	rest, ok := strings.CutPrefix(foldName(component), Hidden)
	rest = strings.TrimLeft(rest, ". ")
	return ok && (rest == "" || rest[0] == ':' || rest[0] == '\\')
}

// ReservedReason says that a name is in the hidden folder, spelt top.
func ReservedReason(top string) string {
	return fmt.Sprintf("the store reserves %q for itself", top)
}

// foldName returns the same for all names that some system takes for one.
func foldName(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			name = strings.Map(func(r rune) rune {
				if isInvisible(r) {
					return -1
				}
				return r
			}, norm.NFKC.String(name))
			break
		}
	}
	return strings.ToLower(name)
}

// MayAlias reports whether a component could be the short name that Windows has
// made for the hidden folder, such as LABNET~1: only its filesystem can tell, and
// other systems that have such a one mounted.
func MayAlias(component string) bool {
	_, number, ok := strings.Cut(component, "~")
	return ok && number != "" && '0' <= number[0] && number[0] <= '9'
}

// isDevice reports whether Windows would open a device by the name c. It looks
// only at what precedes the first dot and the spaces before it, and takes the
// superscripts one to three for digits ("Naming Files, Paths, and Namespaces").
func isDevice(c string) bool {
	c, _, _ = strings.Cut(c, ".")
	c = strings.ToUpper(strings.TrimRight(c, " "))
	switch c {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(c, "COM")
	if !ok {
		port, ok = strings.CutPrefix(c, "LPT")
	}
	return ok && utf8.RuneCountInString(port) == 1 && strings.Contains("0123456789¹²³", port)
}

// RandomName makes up a name of eight lower-case letters and digits and
// ".bin", each of 2^40 equally likely.
func RandomName() string {
	return strings.ToLower(rand.Text()[:8]) + ".bin"
}

// Ancestors lists the folders that lead to name, outermost first.
func Ancestors(name string) []string {
	var folders []string
	for i, r := range name {
		if r == '/' {
			folders = append(folders, name[:i])
		}
	}
	return folders
}
