package commands

import (
	"cmp"
	"io"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/shellcomp"
	"github.com/labnet/labnet/wire"
)

// shells are those for which there are completion scripts.
var shells = []struct {
	name   string
	script func([]shellcomp.Command) string
}{{"bash", shellcomp.Bash}, {"zsh", shellcomp.Zsh}, {"fish", shellcomp.Fish}}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:        "completion",
		Usage:       "print a shell completion script",
		ArgsUsage:   "bash | zsh | fish",
		Description: "The script knows commands, flags and some of their values, and never runs labnet. Packages install it.",
		Action: func(c *cli.Context) error {
			typed := path.Base(c.Args().First()) // of $SHELL
			var names []string
			for _, shell := range shells {
				names = append(names, shell.name)
				if c.Args().Len() == 1 && typed == shell.name {
					_, err := io.WriteString(c.App.Writer, shell.script(commandsToComplete(c.App)))
					return err
				}
			}
			const hint = "put 'source <(labnet completion bash)' into ~/.bashrc; 'labnet help completion' shows it for each shell"
			err := problem.Usage("choose a shell: bash, zsh or fish").(*problem.UsageError)
			if err.Hint = hint; c.Args().Len() == 1 {
				err.Hint = cmp.Or(problem.DidYouMean(nearest(typed, names)), hint)
			}
			return err
		},
	}
}

// commandsToComplete is what the scripts know.
func commandsToComplete(app *cli.App) (commands []shellcomp.Command) {
	for _, cmd := range app.Commands {
		c := shellcomp.Command{Name: cmd.Name, Usage: cmd.Usage, Arguments: argumentsOf(app, cmd)}
		for _, f := range flagsOf(cmd) {
			c.Flags = append(c.Flags, shellcomp.Flag{Long: f.long, Short: f.short, Usage: f.says, Value: f.value, Values: valuesOf(f)})
		}
		commands = append(commands, c)
	}
	return commands
}

// valuesOf says how the value of a flag is completed.
func valuesOf(f flagDoc) shellcomp.Values {
	switch f.value {
	case "FILE":
		return shellcomp.Values{Files: true}
	case "FOLDER":
		return shellcomp.Values{Folders: true}
	}
	return shellcomp.Values{Words: flagWords[f.long]}
}

// flagWords has the values of flags that have few.
var flagWords = map[string][]string{
	"--on-conflict": {"rename", "replace", "refuse"},
	"--names":       {"native", "portable"},
	"--log-level":   {"debug", "info", "warn", "error"},
	"--lab":         labWords(),
	"--digest":      digestWords(),
	"--size-bytes":  {"types", "1", "2", "4", "8"},
}

func labWords() (words []string) {
	for task := wire.Lab1; task <= wire.LabExtra; task++ {
		words = append(words, task.String())
	}
	return words
}

func digestWords() (words []string) {
	for _, d := range wire.Digests() {
		words = append(words, d.Name)
	}
	return words
}

// argumentsOf says how the arguments of a command are completed.
func argumentsOf(app *cli.App, cmd *cli.Command) (c shellcomp.Values) {
	switch {
	case strings.Contains(cmd.ArgsUsage, "FILE"):
		c.Files = true
	case strings.Contains(cmd.ArgsUsage, "STORE"):
		c.Folders = true
	case strings.Contains(cmd.ArgsUsage, "COMMAND"):
		for _, cmd := range app.Commands {
			c.Words = append(c.Words, cmd.Name)
		}
	case strings.ToLower(cmd.ArgsUsage) == cmd.ArgsUsage: // as they are
		c.Words = strings.FieldsFunc(cmd.ArgsUsage, func(r rune) bool { return r == '|' || r == ' ' })
	}
	return c
}

// flagsOf returns all flags of a command.
func flagsOf(cmd *cli.Command) (flags []flagDoc) {
	for _, f := range cmd.Flags {
		flags = append(flags, docOf(f))
	}
	return flags
}

// spellings returns the ways to write a flag.
func (f flagDoc) spellings() []string {
	if f.short == "" {
		return []string{f.long}
	}
	return []string{f.short, f.long}
}
