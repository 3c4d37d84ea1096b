package main

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	module     = "github.com/labnet/labnet"
	cliLibrary = "github.com/urfave/cli"
	globalLog  = "github.com/rs/zerolog/log"
	maxLines   = 700 // of a Go file; tests are exempt
)

// mayImport tells which folders of this module the package in a folder may import,
// besides its own, and nothing else of it: main → commands → {wire, storage}. With
// "/..." a folder stands for those inside it, too. Every folder has its line.
var mayImport = map[string][]string{
	".":        {"commands"},
	"commands": {"commands/...", "wire", "storage/..."},

	"commands/escape":                {},
	"commands/shellcomp":             {},
	"commands/size":                  {},
	"commands/reload":                {},
	"commands/problem":               {"commands/escape"},
	"commands/secret":                {"commands/escape", "commands/problem"},
	"commands/sandbox":               {"commands/problem"},
	"commands/systemd":               {"commands/problem"},
	"commands/interrupt":             {"commands/problem"},
	"commands/terminal":              {"commands/escape", "commands/interrupt", "commands/problem", "commands/size", "wire"},
	"commands/terminal/terminaltest": {},
	"commands/address":               {"commands/escape", "commands/problem"},
	"commands/balancer":              {},
	"commands/client":                {"commands/bandwidth", "commands/escape", "commands/problem", "commands/terminal", "wire"},
	"commands/hook":                  {"commands/problem", "commands/terminal", "wire"},
	"commands/uploader":              {"commands/client", "commands/escape", "commands/interrupt", "commands/problem", "commands/terminal", "storage/...", "wire"},
	"commands/lasttime":              {},
	"commands/status":                {"commands/escape", "commands/lasttime", "storage", "wire"},
	"commands/web":                   {"commands/status", "commands/terminal", "wire"},
	"commands/certs":                 {"commands/atomicfile", "commands/problem", "commands/reload", "commands/secret", "wire"},
	"commands/access":                {"commands/atomicfile", "commands/lasttime", "commands/problem", "commands/reload", "commands/size", "wire", "storage"},
	"commands/invite":                {"commands/atomicfile", "commands/escape", "commands/problem", "commands/secret", "wire"},
	"commands/atomicfile":            {"storage"},
	"commands/check":                 {"wire"},
	"commands/threads":               {},
	"commands/bandwidth":             {},
	"commands/verify":                {"commands/terminal", "storage", "wire"},

	"wire":                {},
	"storage":             {},
	"storage/dir":         {"storage"},
	"storage/s3":          {"storage"},
	"storage/s3/s3test":   {"storage"},
	"storage/storagetest": {"storage"},
}

// testsMayImport tells what tests may import besides.
var testsMayImport = map[string][]string{
	"commands/access":   {"commands/terminal/terminaltest", "storage/..."},
	"commands/terminal": {"commands/terminal/terminaltest"},
	"commands/web":      {"storage/..."},
	"storage/dir":       {"storage/storagetest"},
	"storage/s3":        {"storage/s3/s3test", "storage/storagetest"},
}

// onlyIn tells of what else a single folder alone imports: flags are for subcommands.
var onlyIn = map[string]string{cliLibrary: "commands"}

// mustNotImport tells what else the packages in a folder leave to others.
var mustNotImport = map[string][]string{
	"wire":    {globalLog},
	"storage": {globalLog},
}

// mustNotImportButInTests is for what only tests may import: wire itself never
// names a file or a folder.
var mustNotImportButInTests = map[string][]string{
	"wire": {"os", "path/filepath"},
}

// bothSides lists the files of wire that the client and the server share. All
// others say which side they are on.
var bothSides = []string{"announcement", "auth", "control", "digest", "doc", "error", "fingerprint", "frame", "lab", "link", "store", "tls"}

// emptyNames say nothing of a package, which then collects everything.
var emptyNames = []string{"utils", "util", "common", "helpers", "pkg"}

func TestArchitecture(t *testing.T) {
	for _, v := range violations(t, os.DirFS(".")) {
		t.Error(v)
	}
}

// TestArchitectureRules breaks each rule.
func TestArchitectureRules(t *testing.T) {
	long := "package wire\n" + strings.Repeat("\n", maxLines)
	tests := []struct{ name, file, source, want string }{
		{"main imports a part", "main.go", imports(module + "/wire"), "main.go imports " + module + "/wire"},
		{"main imports a library", "main.go", imports(cliLibrary + "/v2"), "main.go imports " + cliLibrary + "/v2"},
		{"wire imports storage", "wire/server_a.go", imports(module + "/storage"), "wire/server_a.go imports " + module + "/storage"},
		{"wire's test imports storage", "wire/a_test.go", imports(module + "/storage"), "wire/a_test.go imports " + module + "/storage"},
		{"storage imports wire", "storage/a.go", imports(module + "/wire"), "storage/a.go imports " + module + "/wire"},
		{"a part of storage imports wire", "storage/s3/a.go", imports(module + "/wire"), "storage/s3/a.go imports " + module + "/wire"},
		{"a job imports a subcommand", "commands/access/a.go", imports(module + "/commands"), "commands/access/a.go imports " + module + "/commands"},
		{"a job imports another", "commands/access/a.go", imports(module + "/commands/certs"), "commands/access/a.go imports " + module + "/commands/certs"},
		{"a job imports the CLI library", "commands/certs/a.go", imports(cliLibrary + "/v2"), "commands/certs/a.go imports " + cliLibrary + "/v2"},
		{"a store imports the other", "storage/s3/a.go", imports(module + "/storage/dir"), "storage/s3/a.go imports " + module + "/storage/dir"},
		{"storage imports a store", "storage/a.go", imports(module + "/storage/dir"), "storage/a.go imports " + module + "/storage/dir"},
		{"wire imports commands", "wire/server_a.go", imports(module + "/commands"), "wire/server_a.go imports " + module + "/commands"},
		{"storage imports commands", "storage/a.go", imports(module + "/commands"), "storage/a.go imports " + module + "/commands"},
		{"commands imports main", "commands/a.go", imports(module), "commands/a.go imports " + module},
		{"wire imports the CLI library", "wire/server_a.go", imports(cliLibrary + "/v2"), "wire/server_a.go imports " + cliLibrary + "/v2"},
		{"storage imports the CLI library", "storage/a.go", imports(cliLibrary + "/v2"), "storage/a.go imports " + cliLibrary + "/v2"},
		{"wire imports the global logger", "wire/server_a.go", imports(globalLog), "wire/server_a.go imports " + globalLog},
		{"storage imports the global logger", "storage/a.go", imports(globalLog), "storage/a.go imports " + globalLog},
		{"wire imports os", "wire/server_a.go", imports("os"), "wire/server_a.go imports os"},
		{"wire imports path/filepath", "wire/server_a.go", imports("path/filepath"), "wire/server_a.go imports path/filepath"},
		{"a folder without rules", "server/a.go", imports(), "server/a.go is in a folder without import rules"},
		{"an inner folder without rules", "commands/new/a.go", imports(), "commands/new/a.go is in a folder without import rules"},
		{"an empty name", "wire/utils/a.go", imports(), "wire/utils/a.go is in a folder without import rules\nwire/utils/a.go is in a package whose name says nothing"},
		{"a file of wire on no side", "wire/a.go", imports(), "wire/a.go does not say whether it is the client's or the server's"},
		{"a long file", "wire/server_a.go", long, "wire/server_a.go has 701 lines, and 700 is the limit"},
		{"all is well: a test", "wire/a_test.go", imports("os", module+"/wire"), ""},
		{"all is well: a long test", "wire/a_test.go", long, ""},
		{"all is well: a neighbour", "wire/server_a.go", imports("os/signal", "github.com/rs/zerolog"), ""},
		{"all is well: both sides", "wire/frame.go", imports(), ""},
		{"all is well: commands", "commands/a.go", imports("os", cliLibrary+"/v2", module+"/wire", module+"/storage"), ""},
		{"all is well: main", "main.go", imports("os", module+"/commands"), ""},
		{"all is well: another module", "tools/go.mod", "module tools", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := strings.Join(violations(t, fstest.MapFS{test.file: {Data: []byte(test.source)}}), "\n")
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// imports returns a Go file that imports paths.
func imports(paths ...string) string {
	var b strings.Builder
	b.WriteString("package p\n")
	for _, p := range paths {
		fmt.Fprintf(&b, "import %q\n", p)
	}
	return b.String()
}

// violations lists what in the Go files of this module breaks a rule.
func violations(t *testing.T, tree fs.FS) (list []string) {
	t.Helper()
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && !ours(tree, name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		broken, err := check(name, source)
		list = append(list, broken...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// ours reports whether the go command takes a folder for a part of the module.
func ours(tree fs.FS, dir string) bool {
	base := path.Base(dir)
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return err != nil && base != "testdata" && base[0] != '.' && base[0] != '_'
}

// check lists the rules that a file breaks.
func check(name string, source []byte) (broken []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	dir := path.Dir(name)
	isTest := strings.HasSuffix(name, "_test.go")

	if _, known := mayImport[dir]; !known {
		broken = append(broken, fmt.Sprintf("%s is in a folder without import rules", name))
	}
	if slices.Contains(emptyNames, path.Base(dir)) {
		broken = append(broken, fmt.Sprintf("%s is in a package whose name says nothing", name))
	}
	if lines := bytes.Count(source, []byte("\n")); lines > maxLines && !isTest {
		broken = append(broken, fmt.Sprintf("%s has %d lines, and %d is the limit", name, lines, maxLines))
	}
	if base := strings.TrimSuffix(path.Base(name), ".go"); dir == "wire" && !isTest && !slices.Contains(bothSides, base) {
		if side, _, _ := strings.Cut(base, "_"); side != "client" && side != "server" {
			broken = append(broken, fmt.Sprintf("%s does not say whether it is the client's or the server's", name))
		}
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if !importable(dir, imported, isTest) {
			broken = append(broken, fmt.Sprintf("%s imports %s", name, imported))
		}
	}
	return broken, nil
}

// importable reports whether a file in a folder of the module may import a package.
func importable(dir, imported string, isTest bool) bool {
	covers := func(root string) bool { return imported == root || strings.HasPrefix(imported, root+"/") }
	if covers(module) {
		own := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
		allowed := func(rule string) bool {
			root, below := strings.CutSuffix(rule, "/...")
			return own == root || below && strings.HasPrefix(own, root+"/")
		}
		return own == dir || slices.ContainsFunc(mayImport[dir], allowed) || isTest && slices.ContainsFunc(testsMayImport[dir], allowed)
	}
	first, _, _ := strings.Cut(imported, "/")
	if dir == "." && strings.Contains(first, ".") {
		return false // main is too small to need a library
	}
	for library, folder := range onlyIn {
		if covers(library) && dir != folder {
			return false
		}
	}
	top, _, _ := strings.Cut(dir, "/")
	return !slices.ContainsFunc(mustNotImport[top], covers) &&
		(isTest || !slices.Contains(mustNotImportButInTests[top], imported))
}
