package terminal

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// inFiles makes files and, of names that end in a slash, folders, in a new
// working directory, which is the user's home, too.
func inFiles(t *testing.T, names ...string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	t.Setenv("USERPROFILE", dir)
	for _, name := range names {
		err := os.MkdirAll(filepath.Dir(name), 0o700)
		if !strings.HasSuffix(name, "/") && err == nil {
			err = os.WriteFile(name, nil, 0o600)
		}
		if err != nil {
			t.Skip("this system cannot keep such names: ", err)
		}
	}
}

// slashes writes paths as this system does.
func slashes(paths ...string) []string {
	for i, p := range paths {
		paths[i] = filepath.FromSlash(p)
	}
	return paths
}

// TestFileNames: a line names files as in a shell, and as terminals insert them
// when they are dragged there.
func TestFileNames(t *testing.T) {
	inFiles(t, "a b", "it's", "a.txt", "b.txt", ".hidden.txt", "d/c.txt", "d/.git/x", "e/", "[1].txt", "-", "report (2).pdf", "日本")
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		line string
		want []string
	}{
		{"", nil},
		{"  ", nil},
		{"a.txt", []string{"a.txt"}},
		{"a.txt b.txt", []string{"a.txt", "b.txt"}},
		{" a.txt\t b.txt ", []string{"a.txt", "b.txt"}},
		{"a b", []string{"a b"}}, // exists as it is typed
		{"a b ", []string{"a b"}},
		{"report (2).pdf ", []string{"report (2).pdf"}},
		{"it's", []string{"it's"}},
		{`"a b" "missing too"`, []string{"a b", "missing too"}},
		{`"it's" ""`, []string{"it's", ""}},
		{"it's missing", []string{"it's missing"}}, // no quote ends, so it is none
		{`"日本"`, []string{"日本"}},
		{"~", []string{home}},
		{"~/a.txt", []string{home + string(filepath.Separator) + "a.txt"}},
		{"~/?.txt", []string{filepath.Join(home, "a.txt"), filepath.Join(home, "b.txt")}},
		{`"~"`, []string{"~"}},
		{"x~ ~x", []string{"x~", "~x"}},
		{"?.txt", []string{"a.txt", "b.txt"}},
		{"./?.txt", []string{"a.txt", "b.txt"}},
		{"[!a].txt", []string{"b.txt"}},
		{"*.txt", []string{"[1].txt", "a.txt", "b.txt"}}, // no hidden ones
		{".*.txt", []string{".hidden.txt"}},
		{"d/*", slashes("d/c.txt")},
		{"*/", []string{"d", "e"}},
		{`"?.txt"`, []string{"?.txt"}},
		{"[1].txt", []string{"[1].txt"}},
		{`"[1]".t*`, []string{"[1].txt"}},
		{"*.none [", []string{"*.none", "["}}, // as a shell, if nothing matches
		{"-", slashes("./-")},                 // not the input
		{"- a.txt", slashes("./-", "a.txt")},
		{"missing", []string{"missing"}},
	}
	if runtime.GOOS == "windows" {
		tests = append(tests, []struct {
			line string
			want []string
		}{
			{`d\c.txt`, []string{`d\c.txt`}},
			{`"` + home + `\a b" `, []string{home + `\a b`}}, // Windows Terminal
			{`'a b'`, []string{"'a", "b'"}},
		}...)
	} else {
		tests = append(tests, []struct {
			line string
			want []string
		}{
			{`'` + home + `/a b' '` + home + `/it'\''s' `, []string{home + "/a b", home + "/it's"}},                                                // GNOME Terminal
			{home + `/a\ b ` + home + `/it\'s ` + home + `/report\ \(2\).pdf `, []string{home + "/a b", home + "/it's", home + "/report (2).pdf"}}, // macOS
			{`"\"\$\a\\"`, []string{`"$\a\`}},
			{`'\a'`, []string{`\a`}},
			{`\*.txt`, []string{"*.txt"}},
			{`\[1].*`, []string{"[1].txt"}},
			{`a\`, []string{`a\`}},
		}...)
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, FileNames(test.line)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.line, diff)
		}
	}
}

// TestWindowsWords: for Windows, a backslash is no escape, and ' quotes nothing.
func TestWindowsWords(t *testing.T) {
	var got []string
	for _, w := range splitWords(`"C:\My Files\a b.txt" C:\dir\it's.txt "\\nas\share\"`, true) {
		got = append(got, w.text)
	}
	if diff := cmp.Diff([]string{`C:\My Files\a b.txt`, `C:\dir\it's.txt`, `\\nas\share\`}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCompleteFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the console of Windows has its own editor, without completion")
	}
	inFiles(t, "a file", "a film", "other", ".hidden", "über", "übung", "one/", "one/two/", "one/two/three", "empty/", "co\x1blour",
		"it's", `q"$`, "my dir/x y", "[1]", "~tilde", "back\\slash", "Cafe\u0301")
	tests := []struct{ typed, completed, choices string }{
		{"a", `a\ fil`, ""},
		{`a\ fil`, `a\ fil`, "a file  a film\n"},
		{`a\ file`, `a\ file `, ""},
		{"a fi", `a\ fil`, ""}, // all of it can be one name, too
		{"a file", `a\ file `, ""},
		{"'a f", "'a fil", ""},
		{"'a file", "'a file' ", ""},
		{`"a file`, `"a file" `, ""},
		{"ot", "other ", ""},
		{"other ot", "other other ", ""},
		{"other a", `other a\ fil`, ""},
		{"o", "o", "one/  other\n"},
		{"on", "one/", ""},
		{"one/", "one/two/", ""},
		{"one/two/t", "one/two/three ", ""},
		{"./ot", "./other ", ""},
		{".", ".hidden ", ""},
		{"ü", "üb", ""}, // e and u share no byte of a character
		{"c", "c", ""},  // does not show as it is
		{"empty/", "empty/", ""},
		{"missing/x", "missing/x", ""},
		{"x", "x", ""},
		{"it", `it\'s `, ""},
		{"it'", `it\'s `, ""},
		{"'it", `'it'\''s' `, ""},
		{"q", `q\"$ `, ""},
		{`"q`, `"q\"\$" `, ""},
		{"my", `my\ dir/`, ""},
		{`my\ dir/`, `my\ dir/x\ y `, ""},
		{"'my dir/", "'my dir/x y' ", ""},
		{`other "my`, `other "my dir/`, ""},
		{"[", `\[1] `, ""},
		{"b", `back\\slash `, ""},
		{"~", "~/", ""},
		{"~/ot", "~/other ", ""},
		{`~/"my`, `~/"my dir/`, ""},
		{`\~`, `\~tilde `, ""},
		{"Caf\u00e9", "Cafe\u0301 ", ""}, // the other spelling
	}
	for _, test := range tests {
		completed, choices := CompleteFile(test.typed, 80)
		if completed != test.completed || choices != test.choices {
			t.Errorf("%q: got %q, %q, want %q, %q", test.typed, completed, choices, test.completed, test.choices)
		}
	}
	for _, typed := range []string{"", "other "} {
		if completed, choices := CompleteFile(typed, 80); completed != typed || strings.Contains(choices, ".hidden") || !strings.Contains(choices, "other") {
			t.Errorf("%q: %q, %q", typed, completed, choices)
		}
	}

	inFiles(t)
	for i := range maxChoices + 3 {
		if err := os.WriteFile(fmt.Sprintf("file%03d-%d", i, i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if completed, choices := CompleteFile("file0", 80); completed != "file0" || strings.Contains(choices, "more") {
		t.Errorf("as many as are listed: %q, %q", completed, choices)
	}
	if completed, choices := CompleteFile("file", 80); completed != "file" || !strings.HasSuffix(choices, "\nand 3 more\n") {
		t.Errorf("many: %q, %q", completed, choices)
	}
}

// TestInColumns: names are listed from top to bottom, in as many columns as there
// is space for.
func TestInColumns(t *testing.T) {
	names := []string{"one", "two", "three", "日本語", "five", "e\u0301", "seven"}
	tests := []struct {
		columns int
		want    string
	}{
		{80, "one  two  three  日本語  five  e\u0301  seven\n"},
		{30, "one  three   five  seven\ntwo  日本語  e\u0301\n"},
		{19, "one     five\ntwo     e\u0301\nthree   seven\n日本語\n"},
		{3, "one\ntwo\nthree\n日本語\nfive\ne\u0301\nseven\n"},
		{0, "one\ntwo\nthree\n日本語\nfive\ne\u0301\nseven\n"},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, inColumns(names, test.columns)); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", test.columns, diff)
		}
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
