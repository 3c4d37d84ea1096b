package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMatch sees to it that every step is still where the list says, and that what
// takes its place is Go.
func TestMatch(t *testing.T) {
	steps := map[string]bool{}
	for _, m := range mutants() {
		if steps[m.file+m.step] {
			t.Errorf("%s: %s is there twice", m.file, m.step)
		}
		steps[m.file+m.step] = true
		text, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(m.file)))
		if err != nil {
			t.Error(err)
			continue
		}
		mutated, err := m.apply(text)
		if err != nil {
			t.Error(err)
			continue
		}
		before := unused(m.file, text) // what only looks so, as imports are empty
		for _, what := range unused(m.file, mutated) {
			if !slices.Contains(before, what) {
				t.Errorf("%s: %v", m.step, what)
			}
		}
		for name := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(second(m.command()), "^("), ")$"), "|") {
			if !isTest(t, first(m.command()), name) {
				t.Errorf("%s: no test is called %s", m.step, name)
			}
		}
	}
	if n := len(mutants()); n < 60 {
		t.Errorf("%d steps", n)
	}
}

// unused returns why a file does not compile, as far as it shows in the file alone:
// because of something unused, that is.
func unused(name string, text []byte) (all []string) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, 0)
	if err != nil {
		return []string{err.Error()}
	}
	config := types.Config{Importer: empty{}, Error: func(err error) {
		if bad, ok := errors.AsType[types.Error](err); ok && strings.Contains(bad.Msg, "not used") {
			all = append(all, bad.Msg)
		}
	}}
	config.Check("p", files, []*ast.File{file}, nil)
	return all
}

// empty imports packages without anything in them.
type empty struct{}

func (empty) Import(name string) (*types.Package, error) {
	base := path.Base(name)
	if version.MatchString(base) {
		base = path.Base(path.Dir(name))
	}
	p := types.NewPackage(name, strings.TrimPrefix(base, "go-"))
	p.MarkComplete()
	return p, nil
}

var version = regexp.MustCompile(`^v[0-9]+$`)

func first(a, _ string) string  { return a }
func second(_, b string) string { return b }

// isTest reports whether a folder of the repository has a test.
func isTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	is := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if is.Match(text) {
			return true
		}
	}
	return false
}

// TestChoose: a seed chooses always the same, and another one others.
func TestChoose(t *testing.T) {
	of := func(only string, random int, seed string) (steps []string) {
		t.Helper()
		chosen, err := choose(only, random, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range chosen {
			steps = append(steps, m.file+": "+m.step)
		}
		return steps
	}
	one := of("", 5, "a commit")
	if again := of("", 5, "a commit"); len(one) != 5 || !slices.Equal(one, again) {
		t.Errorf("%q, then %q", one, again)
	}
	if other := of("", 5, "another"); slices.Equal(one, other) {
		t.Errorf("another seed chooses the same: %q", other)
	}
	if all := of("", 0, ""); len(all) != len(mutants()) {
		t.Errorf("%d of %d", len(all), len(mutants()))
	}
	if some := of("^storage/dir/", 1000, "a commit"); len(some) == 0 || len(some) == len(mutants()) {
		t.Errorf("%d in storage/dir", len(some))
	}
	if _, err := choose("no such step", 0, ""); err == nil {
		t.Error("nothing is chosen, without a word")
	}
}

// TestOutcomes tries a module of its own, so that what survives is told as that.
func TestOutcomes(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":      "module m\n\ngo 1.26\n",
		"a/a.go":      "package a\n\nfunc Half(n int) int {\n\tif n < 0 {\n\t\treturn 0\n\t}\n\treturn n / 2\n}\n",
		"a/a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestHalf(t *testing.T) {\n\tif Half(4) != 2 {\n\t\tt.Error()\n\t}\n}\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		old, new, tests string
		want            outcome
	}{
		{"n / 2", "n", "TestHalf", killed},
		{"n < 0", "false", "TestHalf", survived},
		{"n / 2", "m", "TestHalf", broken},
		{"n / 2", "n", "TestNone", broken},
		{"return", "return", "TestHalf", broken},
	} {
		got, _, err := try(root, mutant{"step", "a/a.go", tt.old, tt.new, tt.tests}, time.Minute)
		if err != nil || got != tt.want {
			t.Errorf("%q for %q: %s, %v, want %s", tt.new, tt.old, got, err, tt.want)
		}
	}
}
