package storage_test

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/storage"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{
		"a", "report.pdf", "a/b/c.tar.gz", "with space.txt", " leading", "ünïcode.txt", "日本語", "🎉.png",
		"console.txt", "com10", "nulls", "lpt", "a..b", "~backup~", "-rf", "CON1",
		strings.Repeat("x", 255), strings.Repeat("a/", 1900) + "x",
	} {
		if err := storage.CheckName(name); err != nil {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
	for _, test := range []struct{ reason, name string }{
		{"empty", ""},
		{"UTF-8", "a\xffb"},
		{"UTF-8", "surrogate\xed\xa0\x80"},
		{"normalization", "e\u0301"},
		{"absolute", "/etc/passwd"},
		{"folders", strings.Repeat("a/", 1921) + "x"},
		{"control", "a\x00b"},
		{"control", "a\nb"},
		{"control", "a\x7f"},
		{"control", "a\u0085b"},
		{"invisible", "a\u202etxt.exe"},
		{"invisible", "a\u2066b"},
		{"invisible", "a\u200bb"},
		{"invisible", "👩\u200d🚀"},
		{"invisible", "a\ufeff"},
		{"invisible", "a\u2028b"},
		{"invisible", "soft\u00adhyphen"},
		{"invisible", "heart\ufe0f"},
		{"invisible", "hangul\u3164filler"},
		{"invisible", "tag\U000e0041"},
		{"empty component", "a//b"},
		{"empty component", "a/"},
		{`".."`, ".."},
		{`".."`, "a/../b"},
		{`"."`, "./a"},
		{"begins with a dot", ".hidden"},
		{"begins with a dot", "a/.labnet/b"},
		{"begins with a dot", "..."},
		{"longer than 255", strings.Repeat("x", 256)},
		{"longer than 255", strings.Repeat("ü", 128) + "/a"},
		{"space", "a "},
		{"space", "a\u00a0"},
		{"space", "a /b"},
		{"ends in a dot", "a."},
		{"ends in a dot", "a./b"},
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
	} {
		err := storage.CheckName(test.name)
		var bad *storage.NameError
		if !errors.As(err, &bad) || !strings.Contains(bad.Reason, test.reason) || bad.Name != test.name {
			t.Errorf("CheckName(%.40q) = %v, want %q", test.name, err, test.reason)
		}
	}
}

func TestRandomName(t *testing.T) {
	shape := regexp.MustCompile(`^[a-z0-9]{8}\.bin$`)
	seen := map[string]bool{}
	for range 1000 {
		name := storage.RandomName()
		if err := storage.CheckName(name); err != nil || !shape.MatchString(name) {
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

func FuzzCheckName(f *testing.F) {
	for _, name := range []string{
		"report.pdf", "a/b/c", "../escape", "/abs", "nul .txt", "com¹", "e\u0301", "👩\u200d🚀", "a\x00",
		strings.Repeat("日", 85), "a." + strings.Repeat("x", 253), strings.Repeat("ü.", 80) + "x", "x\u0300",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if storage.CheckName(name) != nil {
			return
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			t.Errorf("%q leaves the root", name)
		}
		if !utf8.ValidString(name) || !norm.NFC.IsNormalString(name) || len(name) >= 4096 {
			t.Errorf("%q is accepted", name)
		}
		for c := range strings.SplitSeq(name, "/") {
			if c == "" || c[0] == '.' || len(c) > 255 || strings.TrimRight(c, ". ") != c {
				t.Errorf("%q is accepted with the component %q", name, c)
			}
		}
		for _, n := range []int{2, 10, 10_000} {
			numbered := storage.NumberedName(name, n)
			if err := storage.CheckName(numbered); err != nil {
				t.Errorf("NumberedName(%q, %d): %v", name, n, err)
			}
			if numbered == name {
				t.Errorf("NumberedName(%q, %d) is the same", name, n)
			}
		}
	})
}
