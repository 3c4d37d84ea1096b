package uploader

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labnet/labnet/commands/problem"
)

// excludeTests are patterns, a name, which is a folder if it ends in a slash, and
// whether it is left out.
var excludeTests = []struct {
	patterns string // separated by spaces
	name     string
	excluded bool
}{
	{"*.o", "a.o", true},
	{"*.o", "deep/er/a.o", true},
	{"*.o", "a.o.c", false},
	{"*.o", "a.o/", true},
	{"build", "build", true},
	{"build", "src/build/", true},
	{"build/", "build", false},
	{"build/", "src/build/", true},
	{"/build", "build", true},
	{"/build", "src/build", false},
	{"src/build", "src/build", true},
	{"src/build", "x/src/build", false},
	{"/src/*.c", "src/a.c", true},
	{"/src/*.c", "src/x/a.c", false},
	{"src/", "src/", true},
	{"**/node_modules", "node_modules/", true},
	{"**/node_modules", "a/b/node_modules/", true},
	{"a/**/b", "a/b", true},
	{"a/**/b", "a/x/y/b", true},
	{"a/**/b", "x/a/b", false},
	{"a/**", "a/", false},
	{"a/**", "a/x", true},
	{"a/**", "a/x/y", true},
	{"**", "x", true},
	{"?.txt", "a.txt", true},
	{"?.txt", "ab.txt", false},
	{"[a-c].txt", "b.txt", true},
	{"[!a-c].txt", "b.txt", false},
	{"[!a-c].txt", "d.txt", true},
	{"[^a-c].txt", "d.txt", true},
	{`\[!a]`, "[!a]", true},
	{`\[!a]`, "b", false},
	{`\!x`, "!x", true},
	{`\*`, "*", true},
	{`\*`, "a", false},
	{"{a,b}", "{a,b}", true},
	{"{a,b}", "a", false},
	{"a,b", "a,b", true},
	{"*.log !keep.log", "x.log", true},
	{"*.log !keep.log", "keep.log", false},
	{"!keep.log *.log", "keep.log", true},
	{"*.log !/keep.log", "deep/keep.log", true},
	{".*", ".env", true},
	{".*", "a", false},
	{"été", "été", true},
	{"A", "a", false},
}

func TestExclude(t *testing.T) {
	for _, test := range excludeTests {
		e, err := ReadExclusion(nil, strings.Fields(test.patterns))
		if err != nil {
			t.Errorf("%q: %v", test.patterns, err)
			continue
		}
		name, folder := strings.CutSuffix(test.name, "/")
		if by, got := e.excludes(name, folder); got != test.excluded {
			t.Errorf("%q on %q: excluded %t by %q", test.patterns, test.name, got, by)
		}
	}
	e, err := ReadExclusion(nil, []string{"e\u0301"})
	if _, got := e.excludes("\u00e9", false); err != nil || !got {
		t.Errorf("another spelling: excluded %t, %v", got, err)
	}
}

// TestExcludeAsGit compares the same with what git makes of them.
func TestExcludeAsGit(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git")
	}
	dir := t.TempDir()
	if out, err := exec.Command(git, "init", "-q", dir).CombinedOutput(); err != nil {
		t.Skipf("git init: %v: %s", err, out)
	}
	for _, test := range excludeTests {
		lines := strings.Join(strings.Fields(test.patterns), "\n") + "\n"
		if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(lines), 0o666); err != nil {
			t.Fatal(err)
		}
		name, folder := strings.CutSuffix(test.name, "/")
		if folder {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		check := exec.Command(git, "-C", dir, "check-ignore", "--quiet", "--no-index", "--", name)
		err := check.Run()
		os.RemoveAll(filepath.Join(dir, strings.Split(name, "/")[0]))
		if code := check.ProcessState.ExitCode(); code > 1 {
			t.Fatal(err)
		}
		if got := err == nil; got != test.excluded {
			t.Errorf("%q on %q: git ignores it: %t", test.patterns, test.name, got)
		}
	}
}

func TestExcludeArgument(t *testing.T) {
	for _, test := range []struct {
		patterns, arg string
		folder        bool
		excluded      bool
	}{
		{"*.tmp", "x.tmp", false, true},
		{"*.tmp", "deep/x.tmp", false, true},
		{"/x.tmp", "x.tmp", false, false},
		{"a/x.tmp", "a/x.tmp", false, false},
		{"build/", "build/", true, true},
		{"build/", "build", false, false},
		{".*", ".", true, false},
		{".*", "..", true, false},
		{"*", ".", true, false},
		{"*.tmp !y.tmp", "y.tmp", false, false},
	} {
		e, err := ReadExclusion(nil, strings.Fields(test.patterns))
		if _, got := e.excludesArgument(test.arg, test.folder); err != nil || got != test.excluded {
			t.Errorf("%q on %q: excluded %t, %v", test.patterns, test.arg, got, err)
		}
	}
}

func TestBadPatterns(t *testing.T) {
	for _, pattern := range []string{"", "/", "!", "!/", "[", "[a", "a[]", "[]a]", `a\`, "a//b", "./a", "../a", "a/..", "\xff", "x/[/y"} {
		if e, err := ReadExclusion(nil, []string{pattern}); err == nil {
			t.Errorf("%q is read as %+v", pattern, e)
		} else if d := problem.Of(err); d.Code != problem.ExitUsage {
			t.Errorf("%q: exit code %d", pattern, d.Code)
		}
	}
}

func TestExcludeFrom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "patterns")
	const lines = "\ufeff# a comment\r\n\r\n*.o  \n   \n\\#real\n\\!bang\nends\\ \n!keep.o\n\\\\ \n"
	if err := os.WriteFile(file, []byte(lines), 0o666); err != nil {
		t.Fatal(err)
	}
	e, err := ReadExclusion([]string{file}, []string{"z.o", "!ends "})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a.o": true, "keep.o": false, "z.o": true, "#real": true, "!bang": true, "ends ": false, "# a comment": false, `\`: true} {
		if _, got := e.excludes(name, false); got != want {
			t.Errorf("%q: excluded %t", name, got)
		}
	}
	if err := os.WriteFile(file, []byte("fine\n[\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{file, file + ".missing", filepath.Dir(file)} {
		if _, err := ReadExclusion([]string{file}, nil); err == nil || problem.Of(err).Code != problem.ExitUsage {
			t.Errorf("%s: error %v", file, err)
		} else {
			t.Log(err)
		}
	}
}
