package storage

import (
	"crypto/rand"
	"fmt"
	"path"
	"runtime"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of a name, in bytes. The first is NAME_MAX of every common
// filesystem; both together stay below Linux's PATH_MAX of 4096.
const (
	maxComponent = 255
	maxFolders   = 3839 // everything before the last slash
)

// CheckName reports as a *NameError why name may not be stored, or nil. The
// rules are the same on every system, so that a tree can be copied from one to
// another; Windows alone also refuses the characters that it reserves.
//
// A name is slash-separated and relative. It is valid UTF-8 in Unicode
// normalization form C and holds only characters that show: no controls and
// nothing that is invisible or steers the text around it (bidi controls,
// zero-width characters, variation selectors). Emoji joined by U+200D are
// therefore refused too. No component is empty, longer than 255 bytes, begins
// with a dot, ends in a dot or a space, or is the name of a Windows device;
// the components before the last make up at most 3839 bytes.
func CheckName(name string) error {
	if reason := nameFault(name); reason != "" {
		return &NameError{Name: name, Reason: reason}
	}
	return nil
}

func nameFault(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case !utf8.ValidString(name):
		return "it is not valid UTF-8"
	case !norm.NFC.IsNormalString(name):
		return "it is not in Unicode normalization form C"
	case strings.HasPrefix(name, "/"):
		return "it is absolute"
	case strings.LastIndexByte(name, '/') > maxFolders:
		return fmt.Sprintf("its folders are longer than %d bytes", maxFolders)
	}
	for _, r := range name {
		if reason := runeFault(r); reason != "" {
			return fmt.Sprintf("it contains %U, %s", r, reason)
		}
	}
	for component := range strings.SplitSeq(name, "/") {
		if reason := componentFault(component); reason != "" {
			return reason
		}
	}
	return ""
}

func runeFault(r rune) string {
	switch {
	case unicode.Is(unicode.Cc, r):
		return "a control character"
	// Together the property Default_Ignorable_Code_Point and then some.
	case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return "an invisible character"
	case runtime.GOOS == "windows" && strings.ContainsRune(`<>:"|?*\`, r):
		return "which Windows reserves"
	}
	return ""
}

func componentFault(c string) string {
	switch {
	case c == "":
		return "it has an empty component"
	case c == "." || c == "..":
		return fmt.Sprintf("it has the component %q", c)
	case c[0] == '.':
		return fmt.Sprintf("%q begins with a dot", c)
	case len(c) > maxComponent:
		return fmt.Sprintf("a component is longer than %d bytes", maxComponent)
	case strings.TrimRightFunc(c, unicode.IsSpace) != c:
		return fmt.Sprintf("%q ends in a space", c)
	case strings.HasSuffix(c, "."):
		return fmt.Sprintf("%q ends in a dot", c)
	case isDevice(c):
		return fmt.Sprintf("%q is a device on Windows", c)
	}
	return ""
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

// NumberedName is the name that the n-th file to be called name is kept under:
// "report.pdf" becomes "report (2).pdf". The number goes before the last
// extension ("a.tar (2).gz"), unless what follows the last dot is too long to
// be one. The first file keeps its name. If CheckName accepts name it accepts
// the result, too: a stem that is too long loses its last characters.
func NumberedName(name string, n int) string {
	if n < 2 {
		return name
	}
	folder, base := path.Split(name)
	ext := path.Ext(base)
	if len(ext) > 32 {
		ext = ""
	}
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

// Unnumbered returns the name that NumberedName has made this one of, if it may
// have: it tells nothing of a stem that lost characters.
func Unnumbered(name string) (first string, ok bool) {
	folder, base := path.Split(name)
	ext := path.Ext(base)
	if len(ext) > 32 {
		ext = ""
	}
	stem, closed := strings.CutSuffix(strings.TrimSuffix(base, ext), ")")
	i := strings.LastIndex(stem, " (")
	if !closed || i < 0 {
		return "", false
	}
	n, err := strconv.Atoi(stem[i+len(" ("):])
	first = folder + stem[:i] + ext
	return first, err == nil && NumberedName(first, n) == name && n > 1
}
