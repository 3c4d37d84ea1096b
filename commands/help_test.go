package commands

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/terminal/terminaltest"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// helpTexts returns all of the help, by the names of its files.
func helpTexts(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	var b strings.Builder
	app := newApp(&terminal.Console{Out: &b})
	if err := writeHelp(app); err != nil {
		t.Fatal(err)
	}
	texts["labnet"] = b.String()
	for _, cmd := range app.Commands {
		b.Reset()
		if err := writeCommandHelp(&b, cmd); err != nil {
			t.Fatal(err)
		}
		texts[cmd.Name] = b.String()
	}
	return texts
}

func TestHelpTexts(t *testing.T) {
	for name, text := range helpTexts(t) {
		terminaltest.Golden(t, filepath.Join("testdata", "help", name+".txt"), text)
	}
}

// TestHelpFits: the help fits a terminal of 80 columns, and the one of labnet
// itself a screen of 24 lines, of which the shell needs one.
func TestHelpFits(t *testing.T) {
	for name, text := range helpTexts(t) {
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if name == "labnet" && len(lines) > 23 {
			t.Errorf("%s: %d lines", name, len(lines))
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > helpWidth {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
			if strings.HasSuffix(line, " ") {
				t.Errorf("%s: spaces at the end of %q", name, line)
			}
		}
	}
}

// TestExamples: the examples are of commands and flags that there are.
func TestExamples(t *testing.T) {
	app := newApp(&terminal.Console{})
	for of, list := range examples {
		if of != "" && app.Command(of) == nil {
			t.Errorf("examples of %q", of)
		}
		for _, e := range list {
			_, line, found := strings.Cut(e.line, "labnet ")
			if !found {
				t.Errorf("%q is no example", e.line)
				continue
			}
			line, _, _ = strings.Cut(line, " |")
			words := strings.Fields(strings.Map(func(r rune) rune {
				if strings.ContainsRune("()<>", r) {
					return ' '
				}
				return r
			}, line))
			cmd := app.Command(words[0])
			if cmd == nil {
				t.Errorf("%q: no command %q", e.line, words[0])
				continue
			}
			for _, word := range words[1:] {
				if word == "--" {
					break
				}
				known := slices.ContainsFunc(flagsOf(cmd), func(f flagDoc) bool { return slices.Contains(f.spellings(), word) })
				if strings.HasPrefix(word, "-") && word != "-" && !known {
					t.Errorf("%q: no flag %s", e.line, word)
				}
			}
		}
	}
	for _, cmd := range app.Commands {
		if len(examples[cmd.Name]) == 0 {
			t.Errorf("no example of %s", cmd.Name)
		}
	}
}

// TestFlagDocs: what the help makes of defaults.
func TestFlagDocs(t *testing.T) {
	tests := []struct {
		flag cli.Flag
		want flagDoc
	}{
		{&cli.StringFlag{Name: "store", Value: "received", Usage: "keep files in `FOLDER`"},
			flagDoc{long: "--store", value: "FOLDER", says: "keep files in FOLDER", fallback: "received"}},
		{&cli.BoolFlag{Name: "follow", Aliases: []string{"L"}, Usage: "follow"},
			flagDoc{long: "--follow", short: "-L", says: "follow"}},
		{&cli.DurationFlag{Name: "ttl", Value: storage.DefaultPartialTTL, EnvVars: []string{"LABNET_TTL"}},
			flagDoc{long: "--ttl", value: "WORD", fallback: "24h", env: "LABNET_TTL"}},
		{&cli.DurationFlag{Name: "for", Value: 60e9}, flagDoc{long: "--for", value: "WORD", fallback: "1m"}},
		{&cli.DurationFlag{Name: "for", Value: 90e9}, flagDoc{long: "--for", value: "WORD", fallback: "1m30s"}},
		{&cli.IntFlag{Name: "count"}, flagDoc{long: "--count", value: "WORD"}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, docOf(test.flag), cmp.AllowUnexported(flagDoc{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestFlagWords: what shells complete for a flag is what it takes.
func TestFlagWords(t *testing.T) {
	takes := map[string]func(string) bool{
		"--on-conflict": func(s string) bool { _, err := storage.ParseConflict(s); return err == nil },
		"--names":       func(s string) bool { _, err := storage.ParseNames(s); return err == nil },
		"--log-level":   func(s string) bool { _, err := zerolog.ParseLevel(s); return err == nil },
		"--lab":         func(s string) bool { _, err := wire.ParseLab(s); return err == nil },
		"--size-bytes":  func(s string) bool { n, err := strconv.Atoi(s); return s == "types" || err == nil && 8%n == 0 },
		"--digest":      func(s string) bool { _, known := wire.DigestByName(s); return known },
	}
	for flag, words := range flagWords {
		if len(words) < 2 || takes[flag] == nil {
			t.Errorf("%s: %q", flag, words)
			continue
		}
		for _, word := range words {
			if !takes[flag](word) {
				t.Errorf("%s does not take %s", flag, word)
			}
		}
	}
}

// TestPackagedScripts: the scripts for shells that packages install are those
// that labnet prints.
func TestPackagedScripts(t *testing.T) {
	files := map[string]string{"bash": "labnet.bash", "zsh": "_labnet", "fish": "labnet.fish"}
	for _, shell := range shells {
		terminaltest.Golden(t, filepath.Join("..", "packaging", "completions", files[shell.name]), shell.script(commandsToComplete(newApp(&terminal.Console{}))))
	}
}
