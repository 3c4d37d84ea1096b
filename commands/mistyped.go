package commands

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// didYouMean is a hint at what may have been meant, or "" without any.
func didYouMean(words ...string) string {
	if len(words) == 0 || words[0] == "" {
		return ""
	}
	return "did you mean " + strings.Join(words, " or ") + "?"
}

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
	last := len(words) - 1
	list := strings.Join(words[:last], ", ") + " or " + words[last]
	return "", &badUsage{fmt.Errorf("%s: %q is not %s", what, typed, list), didYouMean(nearest(typed, words))}
}

// otherCommands are what commands like ours are called elsewhere.
var otherCommands = map[string]string{
	"send": "upload", "put": "upload", "push": "upload", "cp": "upload", "copy": "upload", "up": "upload",
	"message": "say", "msg": "say", "tell": "say", "echo": "say",
	"receive": "serve", "recv": "serve", "listen": "serve", "start": "serve", "daemon": "serve",
}

// unknownCommand is the error about words that do not begin with a command.
func unknownCommand(app *cli.App, words []string) error {
	typed := words[0]
	hint := ""
	if command := otherCommands[strings.ToLower(typed)]; command != "" {
		hint = meantCommand(command)
	} else if _, err := os.Lstat(typed); err == nil {
		hint = meantCommand("upload", typed)
	} else if command := nearest(typed, commandNames(app)); command != "" {
		hint = meantCommand(command)
	} else if len(words) > 1 && app.Command(words[1]) != nil {
		if _, _, err := serverAddress(typed, ""); err == nil {
			hint = meantCommand(slices.Concat([]string{words[1], "-a", typed}, words[2:])...)
		}
	}
	return &badUsage{fmt.Errorf("unknown command %q", typed), hint}
}

// meantCommand is a hint at a command line that may have been meant.
func meantCommand(words ...string) string {
	line := "labnet " + shellWords(words)
	if !strings.Contains(line, "'") {
		line = "'" + line + "'"
	}
	return didYouMean(line)
}

// shellWords is how words are written for a shell.
func shellWords(words []string) string {
	var b []string
	for _, word := range words {
		if word == "" || printable(word) != word || strings.ContainsAny(word, " \"'`$&|;<>()*?[]#~\\!{}") {
			word = quote(word)
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
	"as": {"name"}, "silent": {"quiet"}, "wait": {"timeout"}, "token": {"token-file"}, "fingerprint": {"pin"},
	"checksum": {"digest"}, "hash": {"digest"}, "dereference": {"follow"},
}

// unknownFlag is the error about a flag, without dashes, that a command does not
// have.
func unknownFlag(app *cli.App, flags []cli.Flag, name string) error {
	bad := &badUsage{err: fmt.Errorf("unknown flag %s", dashed(name))}
	var long []string
	for _, f := range flags {
		long = append(long, f.Names()[0])
	}
	if upload := flagNamed(flags, "follow") != nil; upload && (name == "r" || name == "R" || name == "recursive") {
		bad.hint = "leave it out: folders are always sent whole"
		return bad
	}
	for _, address := range []string{"addr", "listen"} {
		if slices.Contains(long, address) && (name == "port" || name == "p") {
			bad.hint = didYouMean("--" + address + " HOST:PORT")
			return bad
		}
	}
	for _, other := range otherFlags[name] {
		if slices.Contains(long, other) {
			bad.hint = didYouMean("--" + other)
			return bad
		}
	}
	if meant := nearest(name, long); meant != "" {
		bad.hint = didYouMean("--" + meant)
		return bad
	}
	var have []string
	for _, cmd := range app.Commands {
		if flagNamed(cmd.Flags, name) != nil {
			have = append(have, cmd.Name)
		}
	}
	if len(have) == 1 {
		bad.hint = dashed(name) + " is a flag of 'labnet " + have[0] + "'"
	}
	return bad
}
