package storage_test

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/storage"
)

// accepted by both rules on every system.
var accepted = []string{
	"a", "report.pdf", "a/b/c.tar.gz", "with space.txt", " leading", "ünïcode.txt", "日本語", "🎉.png",
	"console.txt", "com10", "nulls", "lpt", "a..b", "~backup~", "-rf", "CON1", "LABNET~1", "labnet", "a/labnet",
	strings.Repeat("x", 255), strings.Repeat("a/", 99) + "x", strings.Repeat(strings.Repeat("a", 37)+"/", 99) + "x",
}

// refused by both rules on every system.
var refused = []struct{ reason, name string }{
	{"empty", ""},
	{"UTF-8", "a\xffb"},
	{"UTF-8", "surrogate\xed\xa0\x80"},
	{"absolute", "/etc/passwd"},
	{"folders", strings.Repeat(strings.Repeat("a", 200)+"/", 20) + "x"},
	{"more than 100 parts", strings.Repeat("a/", 100) + "x"},
	{"more than 100 parts", strings.Repeat("a/", 1500) + "x"},
	{"control", "a\x00b"},
	{"control", "a\nb"},
	{"control", "Icon\r"},
	{"control", "a\x1b[31m"},
	{"control", "a\x7f"},
	{"control", "a\u0085b"},
	{"bidirectional", "a\u202etxt.exe"},
	{"bidirectional", "a\u2066b"},
	{"bidirectional", "a\u200fb"},
	{"bidirectional", "a\u061cb"},
	{"separates lines", "a\u2028b"},
	{"separates lines", "a\u2029b"},
	{"empty component", "a//b"},
	{"empty component", "a/"},
	{`".."`, ".."},
	{`".."`, "a/../b"},
	{`"."`, "./a"},
	{`"."`, "a/."},
	{"longer than 255", strings.Repeat("x", 256)},
	{"longer than 255", strings.Repeat("ü", 128) + "/a"},
	{"for itself", ".labnet"},
	{"for itself", ".labnet/lock"},
	{"for itself", ".LABNET/lock"},
	{"for itself", ".LabNet"},
	{"for itself", ".labnet./lock"},
	{"for itself", ".labnet ../lock"},
	{"for itself", ".labnet::$INDEX_ALLOCATION/lock"},
	{"for itself", ".labnet:stream"},
	{"for itself", `.labnet\lock`},
	{"for itself", ".lab\u200bnet/lock"},
	{"for itself", ".lab\u00adnet/lock"},
	{"for itself", "\ufeff.labnet"},
	{"for itself", ".labnet\ufe0f"},
	{"for itself", ".ｌabnet"},
	{"for itself", "․labnet"},
}

// refusedWhenPortable are what a system may keep, but not every one.
var refusedWhenPortable = []struct{ reason, name string }{
	{"normalization", "e\u0301"},
	{"invisible", "a\u200bb"},
	{"invisible", "👩\u200d🚀"},
	{"invisible", "a\ufeff"},
	{"invisible", "soft\u00adhyphen"},
	{"invisible", "heart\ufe0f"},
	{"invisible", "hangul\u3164filler"},
	{"invisible", "tag\U000e0041"},
	{"begins with a dot", ".hidden"},
	{"begins with a dot", ".labnet-2/b"},
	{"begins with a dot", "a/.labnet/b"},
}

// refusedByWindows are refused by the portable rules and on Windows.
var refusedByWindows = []struct{ reason, name string }{
	{"space", "a "},
	{"space", "a /b"},
	{"ends in a dot", "a."},
	{"ends in a dot", "a./b"},
	{"dot", "..."},
	{"device", "CON"},
	{"device", "a/prn"},
	{"device", "Aux.txt"},
	{"device", "nul.tar.gz"},
	{"device", "nul .txt"},
	{"device", "COM0"},
	{"device", "com9.log"},
	{"device", "lpt¹"},
	{"device", "COM².txt"},
	{"device", "conin$"},
	{"device", "CONOUT$.x"},
}

func TestNames(t *testing.T) {
	systems := []string{"linux", "darwin", "freebsd", "windows"}
	check := func(rules storage.Names, system, name, reason string) {
		t.Helper()
		got := rules.Fault(name, system)
		if (got == "") != (reason == "") || !strings.Contains(got, reason) {
			t.Errorf("%v on %s: %.40q: %q, want %q", rules, system, name, got, reason)
		}
	}
	for _, system := range systems {
		for _, rules := range []storage.Names{storage.Native, storage.Portable} {
			for _, name := range accepted {
				check(rules, system, name, "")
			}
			for _, test := range refused {
				check(rules, system, test.name, test.reason)
			}
		}
		for _, test := range refusedWhenPortable {
			check(storage.Portable, system, test.name, test.reason)
			check(storage.Portable, system, test.name, "portable names only")
			check(storage.Native, system, test.name, "")
		}
		for _, test := range refusedByWindows {
			check(storage.Portable, system, test.name, test.reason)
			if system != "windows" {
				check(storage.Portable, system, test.name, "portable names only")
				test.reason = ""
			}
			check(storage.Native, system, test.name, test.reason)
		}
		for _, name := range []string{`a\..\canary`, `C:\f`, "C:f", `\\host\share`, "f:stream", "f::$DATA", "?", "a<b", `"`} {
			reason := ""
			if system == "windows" {
				reason = "Windows reserves"
			}
			check(storage.Native, system, name, reason)
			check(storage.Portable, system, name, "Windows reserves")
		}
	}
}

func TestCheckTellsTheName(t *testing.T) {
	var bad *storage.NameError
	if err := storage.Portable.Check("a/nul"); !errors.As(err, &bad) || bad.Name != "a/nul" || !strings.Contains(bad.Reason, "device") {
		t.Errorf("error %v", err)
	}
	if err := storage.Native.Check("a/b"); err != nil {
		t.Error(err)
	}
}

func TestParseNames(t *testing.T) {
	for _, n := range []storage.Names{storage.Native, storage.Portable} {
		if got, err := storage.ParseNames(n.String()); got != n || err != nil {
			t.Errorf("ParseNames(%q) = %v, %v", n, got, err)
		}
	}
	if n, err := storage.ParseNames("any"); err == nil {
		t.Errorf("ParseNames(any) = %v", n)
	}
	if storage.DefaultNamesOn("windows") != storage.Portable || storage.DefaultNamesOn("linux") != storage.Native || storage.DefaultNamesOn("darwin") != storage.Native {
		t.Error("wrong default")
	}
}

func TestRandomName(t *testing.T) {
	shape := regexp.MustCompile(`^[a-z0-9]{8}\.bin$`)
	seen := map[string]bool{}
	for range 1000 {
		name := storage.RandomName()
		if err := storage.Portable.Check(name); err != nil || !shape.MatchString(name) {
			t.Fatalf("%q: %v", name, err)
		}
		seen[name] = true
	}
	if len(seen) < 999 {
		t.Errorf("%d distinct names of 1000", len(seen))
	}
}

func TestNumberedName(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, test := range []struct {
		name string
		n    int
		want string
	}{
		{"report.pdf", 1, "report.pdf"},
		{"report.pdf", 2, "report (2).pdf"},
		{"a/b.c/report.pdf", 10_000, "a/b.c/report (10000).pdf"},
		{"a.tar.gz", 2, "a.tar (2).gz"},
		{"a.b/Makefile", 2, "a.b/Makefile (2)"},
		{"a." + x(40), 2, "a." + x(40) + " (2)"},
		{x(255), 2, x(251) + " (2)"},
		{x(251) + ".pdf", 2, x(247) + " (2).pdf"},
		{x(246) + "ü.pdf", 2, x(246) + " (2).pdf"},
		{".env", 2, ".env (2)"},
		{"a/.config.json", 3, "a/.config (3).json"},
		{".gitignore", 2, ".gitignore (2)"},
		{"..tar.gz", 2, "..tar (2).gz"},
		{"...", 2, "... (2)"},
		{"ends in dot.", 2, "ends in dot (2)."},
		{"trailing space ", 2, "trailing space  (2)"},
		{"." + x(254), 2, "." + x(250) + " (2)"},
		{strings.Repeat("日", 85), 3, strings.Repeat("日", 83) + " (3)"},
	} {
		if got := storage.NumberedName(test.name, test.n); got != test.want {
			t.Errorf("NumberedName(%q, %d) = %q, want %q", test.name, test.n, got, test.want)
		}
	}
}

func TestConflict(t *testing.T) {
	for _, c := range []storage.Conflict{storage.Rename, storage.Replace, storage.Refuse} {
		if got, err := storage.ParseConflict(c.String()); got != c || err != nil {
			t.Errorf("ParseConflict(%q) = %v, %v", c, got, err)
		}
	}
	if c, err := storage.ParseConflict("overwrite"); err == nil {
		t.Errorf("ParseConflict(overwrite) = %v", c)
	}
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{
		"report.pdf", "a/b/c", "../escape", "/abs", "nul .txt", "com¹", "e\u0301", "👩\u200d🚀", "a\x00", ".env", "...", ".labnet", ".LAB\u200bnet:x",
		strings.Repeat("日", 85), "a." + strings.Repeat("x", 253), strings.Repeat("ü.", 80) + "x", "x\u0300", ".labnet (2)", ".labnet" + strings.Repeat(" ", 245) + "x",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, system := range []string{"linux", "windows"} {
			for _, rules := range []storage.Names{storage.Native, storage.Portable} {
				if rules.Fault(name, system) == "" {
					checkAccepted(t, rules, system, name)
				}
			}
		}
		if storage.Portable.Fault(name, "linux") == "" && storage.Native.Fault(name, "linux") != "" {
			t.Errorf("%q is portable, and not native", name)
		}
	})
}

// checkAccepted fails the test if a name that is accepted should not have been.
func checkAccepted(t *testing.T, rules storage.Names, system, name string) {
	t.Helper()
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		t.Errorf("%q leaves the root", name)
	}
	if !utf8.ValidString(name) || len(name) >= 4096 || strings.Count(name, "/") >= 100 {
		t.Errorf("%q is accepted", name)
	}
	if rules == storage.Portable && !norm.NFC.IsNormalString(name) {
		t.Errorf("%q is portable", name)
	}
	if strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
	}) {
		t.Errorf("%q misleads", name)
	}
	for c := range strings.SplitSeq(name, "/") {
		if c == "" || c == "." || c == ".." || len(c) > 255 {
			t.Errorf("%q is accepted with the component %q", name, c)
		}
		if rules == storage.Portable && c[0] == '.' || (rules == storage.Portable || system == "windows") && strings.TrimRight(c, ". ") != c {
			t.Errorf("%q is accepted by %v with the component %q on %s", name, rules, c, system)
		}
	}
	if top, _, _ := strings.Cut(name, "/"); strings.EqualFold(strings.TrimRight(top, ". "), ".labnet") {
		t.Errorf("%q is accepted", name)
	}
	for _, n := range []int{2, 10, 10_000} {
		numbered := storage.NumberedName(name, n)
		if reason := rules.Fault(numbered, system); reason != "" {
			t.Errorf("NumberedName(%q, %d): %s", name, n, reason)
		}
		if numbered == name {
			t.Errorf("NumberedName(%q, %d) is the same", name, n)
		}
	}
}
