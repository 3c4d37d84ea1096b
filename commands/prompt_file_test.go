package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompleteFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a file", "a film", "other", ".hidden", "über", "übung", "one/", "one/two/", "one/two/three", "empty/", "co\x1blour"} {
		err := os.MkdirAll(filepath.Dir(name), 0o700)
		if !strings.HasSuffix(name, "/") && err == nil {
			err = os.WriteFile(name, nil, 0o600)
		}
		if err != nil {
			t.Skip("this system cannot keep such names: ", err)
		}
	}
	slash := string(filepath.Separator)
	tests := []struct{ typed, next, choices string }{
		{"a", " fil", ""},
		{"a fil", "", "a file  a film\n"},
		{"a file", "", ""},
		{"ot", "her", ""},
		{"o", "", "one" + slash + "  other\n"},
		{"on", "e" + slash, ""},
		{"one" + slash, "two" + slash, ""},
		{"one" + slash + "two" + slash + "t", "hree", ""},
		{"." + slash + "ot", "her", ""},
		{".", "hidden", ""},
		{"ü", "b", ""}, // e and u share no byte of a character
		{"c", "", ""},  // does not show as it is
		{"empty" + slash, "", ""},
		{"missing" + slash + "x", "", ""},
		{"x", "", ""},
	}
	for _, test := range tests {
		next, choices := completeFile(test.typed)
		if next != test.next || choices != test.choices {
			t.Errorf("%q: got %q, %q, want %q, %q", test.typed, next, choices, test.next, test.choices)
		}
	}
	if _, choices := completeFile(""); strings.Contains(choices, ".hidden") || !strings.Contains(choices, "other") {
		t.Errorf("nothing typed: %q", choices)
	}

	t.Chdir(t.TempDir())
	for i := range maxChoices + 3 {
		if err := os.WriteFile(fmt.Sprintf("file%03d-%d", i, i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if next, choices := completeFile("file"); next != "" && !strings.HasSuffix(choices, "  and 3 more\n") {
		t.Errorf("many: %q, %q", next, choices)
	}
}

// TestSharedCharacters: what names begin with alike is not cut within a
// character.
func TestSharedCharacters(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"äx", "äy", 2}, {"ä", "ö", 0}, {"ab", "a", 1}, {"", "a", 0}, {"日本", "日木", 3}} {
		if got := shared(test.a, test.b); got != test.want {
			t.Errorf("%q, %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
