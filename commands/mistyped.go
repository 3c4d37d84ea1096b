package commands

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/address"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/shellcomp"
)

// nearest returns which of some words may have been meant by one that is none of
// them, or "".
func nearest(typed string, words []string) string {
	typed = fold(typed)
	if len(typed) < 2 {
		return ""
	}
	begun := func(word string) bool { return strings.HasPrefix(fold(word), typed) }
	if i := slices.IndexFunc(words, begun); i >= 0 && !slices.ContainsFunc(words[i+1:], begun) {
		return words[i]
	}
	limit := 1
	if len(typed) > 5 {
		limit = 2
	}
	found := ""
	for _, word := range words {
		d := distance(typed, fold(word))
		if strings.HasPrefix(typed, fold(word)) && len(fold(word)) > 3 {
			d = min(d, limit) // such as "warning"
		}
		if d <= limit {
			found = word
			limit = d - 1
		}
	}
	return found
}

// fold removes from a word what makes no difference in the ways it is written:
// SHA-256 is sha256.
func fold(word string) string {
	return strings.NewReplacer("-", "", "_", "", "/", "", " ", "").Replace(strings.ToLower(word))
}

// distance is how many letters to insert, delete, replace or swap with their
// neighbour make b of a, no letter being touched twice.
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// chosen returns which of the words that a flag takes it was given.
func chosen(c *cli.Context, flag string) (string, error) {
	return choose("--"+flag, c.String(flag), flagWords["--"+flag])
}

// choose returns the one of some words that a user means by typed, given in what.
func choose(what, typed string, words []string) (string, error) {
	for _, word := range words {
		if fold(word) == fold(typed) {
			return word, nil
		}
	}
	meant := nearest(typed, words)
	if other := otherWords[fold(typed)]; meant == "" && slices.Contains(words, other) {
		meant = other
	}
	return "", problem.UsageHint(fmt.Errorf("%s: %q is not %s", what, typed, oneOf(words)), problem.DidYouMean(meant))
}

// oneOf lists words of which one is to be chosen.
func oneOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// otherWords are what values like ours are called elsewhere.
var otherWords = map[string]string{
	"overwrite": "replace", "clobber": "replace", "skip": "refuse", "fail": "refuse", "deny": "refuse", "backup": "rename",
	"verbose": "debug", "trace": "debug", "quiet": "warn", "off": "error", "fatal": "error",
}

// otherCommands are what commands like ours are called elsewhere.
var otherCommands = map[string]string{
	"send": "upload", "put": "upload", "push": "upload", "cp": "upload", "copy": "upload", "up": "upload",
	"message": "say", "msg": "say", "tell": "say", "echo": "say",
	"receive": "serve", "recv": "serve", "listen": "serve", "start": "serve", "server": "serve", "daemon": "serve",
	"complete": "completion", "usage": "help", "man": "help",
}

// noCommand is the error about arguments that name no command where one is needed.
func noCommand(app *cli.App, args []string) error {
	all := allFlags(app)
	first := skipFlags(all, args)
	if first < len(args) && args[first] == "--" {
		first++
	}
	switch {
	case first < len(args) && len(args[first]) > 1 && args[first][0] == '-':
		typed, _, _ := strings.Cut(args[first], "=")
		return unknownFlag(app, all, typed)
	case first < len(args):
		return unknownCommand(app, args[first:])
	}
	bad := &problem.UsageError{Err: errors.New("no command given")}
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if bad.Hint = ofOneCommand(app, name); bad.Hint != "" {
			break
		}
	}
	return bad
}

// unknownCommand is the error about words that do not begin with a command.
func unknownCommand(app *cli.App, words []string) error {
	typed := words[0]
	hint := ""
	command := cmp.Or(otherCommands[strings.ToLower(typed)], nearest(typed, commandNames(app)))
	if command != "" && !isFile(typed) {
		hint = meantCommand(command)
	} else if command := otherCommand(typed); command != "" && !isFile(typed) {
		hint = meantCommand(command)
	} else if isFile(typed) {
		hint = meantCommand(uploadOf(words)...)
	} else if cmd, rest := commandFirst(app, words[1:]); cmd != nil {
		if _, _, err := address.Server(typed, ""); err == nil {
			hint = meantCommand(slices.Concat([]string{cmd.Name, "-a", typed}, rest)...)
		}
	} else if addr, likely := address.Likely(typed); likely && len(words) == 1 {
		hint = meantCommand("ping", addr)
	}
	return problem.UsageHint(fmt.Errorf("unknown command %q", typed), hint)
}

// otherCommand returns the command that is called like typed elsewhere, or "".
func otherCommand(typed string) string {
	if command := otherCommands[strings.ToLower(typed)]; command != "" || len(typed) < 5 {
		return command
	}
	return otherCommands[nearest(typed, slices.Sorted(maps.Keys(otherCommands)))]
}

// isFile reports whether there is a file or folder of a name.
func isFile(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// uploadOf is the command line that uploads files, of which the last may be a
// server.
func uploadOf(files []string) []string {
	last := len(files) - 1
	if addr, likely := address.Likely(files[last]); likely && !isFile(files[last]) {
		return slices.Concat([]string{"upload", "-a", addr}, files[:last])
	}
	return slices.Concat([]string{"upload"}, files)
}

// meantCommand is a hint at a command line that may have been meant.
func meantCommand(words ...string) string {
	line := "labnet " + shellWords(words)
	if !strings.Contains(line, "'") {
		line = "'" + line + "'"
	}
	return problem.DidYouMean(line)
}

// shellWords is how words are written for a shell.
func shellWords(words []string) string {
	var b []string
	for _, word := range words {
		if word == "" || escape.Name(word) != word || strings.ContainsAny(word, " \"'`$&|;<>()*?[]#~\\!{}") {
			word = shellcomp.Quote(word)
		}
		b = append(b, word)
	}
	return strings.Join(b, " ")
}

// otherFlags are what flags like ours are called elsewhere, and ours.
var otherFlags = map[string][]string{
	"addr": {"listen"}, "listen": {"addr"}, "l": {"addr"}, "a": {"listen"},
	"address": {"addr", "listen"}, "host": {"addr", "listen"}, "server": {"addr"}, "bind": {"listen"},
	"dir": {"store"}, "directory": {"store"}, "folder": {"store"}, "output": {"store"}, "root": {"store"}, "d": {"store"},
	"as": {"name"}, "silent": {"quiet", "log-level"}, "quiet": {"log-level"}, "q": {"log-level"}, "verbose": {"log-level"}, "v": {"log-level"},
	"wait": {"timeout"}, "token": {"token-file"}, "fingerprint": {"pin"},
	"checksum": {"digest"}, "hash": {"digest"}, "dereference": {"follow"},
}

// unknownFlag is the error about a flag, as it was typed, that a command with some
// flags does not have.
func unknownFlag(app *cli.App, flags []cli.Flag, typed string) error {
	bad := &problem.UsageError{Err: fmt.Errorf("unknown flag %s", escape.Name(typed))}
	name := strings.TrimLeft(typed, "-")
	if !strings.HasPrefix(typed, "--") && len(name) > 1 && flagNamed(flags, name[:1]) != nil {
		for _, letter := range name {
			if flagNamed(flags, string(letter)) == nil {
				bad.Err = fmt.Errorf("unknown flag %s in %s", escape.Name("-"+string(letter)), escape.Name(typed))
				break
			}
		}
	}
	var long []string
	for _, f := range flags {
		long = append(long, f.Names()[0])
	}
	bad.Hint = flagHint(app, flags, long, name)
	return bad
}

// flagHint says what a user may have meant by a flag that there is not.
func flagHint(app *cli.App, flags []cli.Flag, long []string, name string) string {
	if name == "version" || name == "V" {
		return "'labnet version' shows the version"
	}
	if slices.Contains(long, "follow") && (name == "r" || name == "R" || name == "recursive") {
		return "leave it out: folders are always sent whole"
	}
	for _, address := range []string{"addr", "listen"} {
		if slices.Contains(long, address) && (name == "port" || name == "p") {
			return problem.DidYouMean("--" + address + " HOST:PORT")
		}
	}
	if word, no := strings.CutPrefix(name, "no-"); no {
		if _, on := flagNamed(flags, word).(*cli.BoolFlag); on {
			return problem.DidYouMean("--" + word + "=false")
		}
	}
	for _, other := range otherFlags[name] {
		if slices.Contains(long, other) {
			return problem.DidYouMean("--" + other)
		}
	}
	if meant := nearest(name, long); meant != "" {
		return problem.DidYouMean("--" + meant)
	}
	return ofOneCommand(app, name)
}

// ofOneCommand is a hint at the only command that has a flag, or "". Those that are
// grouped in the help only repeat flags of the others, if these have them.
func ofOneCommand(app *cli.App, name string) string {
	var have, repeating []string
	for _, cmd := range app.Commands {
		switch grouped := slices.ContainsFunc(helpGroups, func(g helpGroup) bool { return slices.Contains(g.names, cmd.Name) }); {
		case flagNamed(cmd.Flags, name) == nil:
		case grouped:
			repeating = append(repeating, cmd.Name)
		default:
			have = append(have, cmd.Name)
		}
	}
	if len(have) == 0 {
		have = repeating
	}
	if len(have) != 1 {
		return ""
	}
	return dashed(name) + " is a flag of 'labnet " + have[0] + "'"
}

func commandNames(app *cli.App) (names []string) {
	for _, cmd := range app.Commands {
		names = append(names, cmd.Name)
	}
	return names
}
