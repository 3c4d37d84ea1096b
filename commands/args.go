package commands

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/address"
	"github.com/labnet/labnet/commands/problem"
)

// commandFirst returns the command that args, without the program's name, ask for,
// and what else they hold in their order, or nil if they ask for none. Flags may
// stand before the command.
func commandFirst(app *cli.App, args []string) (*cli.Command, []string) {
	if len(args) == 0 {
		return nil, nil
	}
	switch args[0] {
	case "--help", "-h":
		return app.Command("help"), args[1:]
	case "--version", "-V":
		return app.Command("version"), args[1:]
	}
	for _, cmd := range app.Commands {
		if i := skipFlags(cmd.Flags, args); i < len(args) && args[i] == cmd.Name {
			return cmd, slices.Concat(args[:i], args[i+1:])
		}
	}
	if args[0] == "-v" {
		return app.Command("version"), args[1:]
	}
	if i := skipFlags(allFlags(app), args); i < len(args) { // behind a flag of another command
		return app.Command(args[i]), slices.Concat(args[:i], args[i+1:])
	}
	return nil, nil
}

// allFlags returns the flags of all commands.
func allFlags(app *cli.App) (flags []cli.Flag) {
	for _, cmd := range app.Commands {
		flags = append(flags, cmd.Flags...)
	}
	return flags
}

// skipFlags returns the index of the first argument that is none of flags.
func skipFlags(flags []cli.Flag, args []string) int {
	i := 0
	for i < len(args) && len(args[i]) > 1 && args[i][0] == '-' {
		last := args[i]
		if parts := splitShort(flags, last); len(parts) > 1 {
			last = parts[len(parts)-1]
			if !strings.HasPrefix(last, "-") {
				i++ // it has its value
				continue
			}
		}
		name, _, _ := strings.Cut(strings.TrimLeft(last, "-"), "=")
		if flagNamed(flags, name) == nil {
			break
		}
		if wantsValue(flags, last) {
			i++
		}
		i++
	}
	return i
}

// splitShort splits what getopt(3) takes for several flags of one letter, or for
// one with its value: "-qL" and "-c3".
func splitShort(flags []cli.Flag, arg string) []string {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if strings.HasPrefix(arg, "--") || flagNamed(flags, name) != nil {
		return []string{arg}
	}
	var parts []string
	for rest := arg[1:]; rest != ""; {
		letter := "-" + rest[:1]
		rest = rest[1:]
		if flagNamed(flags, letter[1:]) == nil {
			return []string{arg}
		}
		if parts = append(parts, letter); wantsValue(flags, letter) && rest != "" {
			return append(parts, rest)
		}
	}
	return parts
}

// gnuOrder moves the flags of a command before its arguments and marks the
// border with "--", because the flag package takes what follows the first
// argument for arguments. As with GNU tools, a "--" ends the flags, and "-"
// is an argument.
func gnuOrder(flags []cli.Flag, args []string) []string {
	var options, operands []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if len(arg) > 2 && arg[0] == '-' {
			parts := splitShort(flags, arg)
			arg, args = parts[0], slices.Concat(parts[1:], args)
		}
		switch {
		case arg == "--":
			operands = append(operands, args...)
			args = nil
		case !strings.HasPrefix(arg, "-") && slices.Contains(options, "--"+fromCommandFlag):
			operands = append(append(operands, arg), args...) // a command with its own flags
			args = nil
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			operands = append(operands, arg)
		default:
			options = append(options, arg)
			if !wantsValue(flags, arg) {
				continue
			}
			if len(args) == 0 {
				return options // and nothing behind that would be taken for the value
			}
			options = append(options, args[0])
			args = args[1:]
		}
	}
	return slices.Concat(options, []string{"--"}, operands)
}

// cutProgram cuts the program with its arguments off that stands behind a "--".
func cutProgram(args []string) (before, program []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}

// givenJSON reports whether ordered arguments ask for JSON, so that a program
// that wants it can read even that others of them are wrong.
func givenJSON(flags []cli.Flag, ordered []string) bool {
	for i := 0; i < len(ordered) && ordered[i] != "--"; i++ {
		switch strings.TrimLeft(ordered[i], "-") {
		case "json", "json=true":
			return flagNamed(flags, "json") != nil
		}
		if wantsValue(flags, ordered[i]) {
			i++
		}
	}
	return false
}

// wantsValue reports whether the flag that arg gives takes the next argument
// for its value.
func wantsValue(flags []cli.Flag, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	f, ok := flagNamed(flags, name).(cli.DocGenerationFlag)
	return ok && f.TakesValue()
}

// flagNamed returns the flag of a name without dashes, or nil.
func flagNamed(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

// givenFlags returns the names of the flags that ordered arguments give.
func givenFlags(flags []cli.Flag, ordered []string) map[string]bool {
	given := make(map[string]bool)
	for i := 0; i < len(ordered) && ordered[i] != "--"; i++ {
		name, _, _ := strings.Cut(strings.TrimLeft(ordered[i], "-"), "=")
		if f := flagNamed(flags, name); f != nil {
			given[f.Names()[0]] = true
		}
		if wantsValue(flags, ordered[i]) {
			i++
		}
	}
	return given
}

// isGiven reports whether a flag is on the command line, and not only in the
// environment.
func isGiven(c *cli.Context, flag string) bool {
	ordered, _ := c.App.Metadata["ordered"].([]string)
	return givenFlags(c.Command.Flags, ordered)[flag]
}

// sourceOf names what set a flag: the flag itself, or its variable.
func sourceOf(c *cli.Context, flag string) string {
	if env := docOf(flagNamed(c.Command.Flags, flag)).env; env != "" && !isGiven(c, flag) && os.Getenv(env) != "" {
		return env
	}
	return "--" + flag
}

// flagError says in other words what package flag and the library say of a
// wrong flag.
func flagError(app *cli.App, flags []cli.Flag, err error) error {
	var value, name, kind, variable string
	said := err.Error()
	if name, ok := strings.CutPrefix(said, "flag provided but not defined: -"); ok {
		ordered, _ := app.Metadata["ordered"].([]string)
		return unknownFlag(app, flags, asTyped(flags, ordered, name))
	}
	if name, ok := strings.CutPrefix(said, "flag needs an argument: -"); ok {
		return problem.Usage("%s needs a value", dashed(name))
	}
	for _, form := range []string{"invalid value %q for flag -%s", "invalid boolean value %q for -%s"} {
		if _, err := fmt.Sscanf(said, form, &value, &name); err == nil {
			name = strings.TrimSuffix(name, ":")
			return wrongValue(dashed(name), value, flagNamed(flags, name))
		}
	}
	if _, err := fmt.Sscanf(said, "could not parse %q as %s value from environment variable %q for flag %s", &value, &kind, &variable, &name); err == nil {
		return wrongValue(variable, value, flagNamed(flags, strings.TrimSuffix(name, ":")))
	}
	return problem.Usage("%w", err)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// asTyped returns how ordered arguments give a flag without a value, whose name is
// known.
func asTyped(flags []cli.Flag, ordered []string, name string) string {
	for i := 0; i < len(ordered) && ordered[i] != "--"; i++ {
		typed, _, _ := strings.Cut(ordered[i], "=")
		if strings.TrimLeft(typed, "-") == name {
			return typed
		}
		if wantsValue(flags, ordered[i]) {
			i++
		}
	}
	return dashed(name)
}

// wrongValue is the error about a value that the flag f cannot have, given in what.
func wrongValue(what, value string, f cli.Flag) error {
	switch f.(type) {
	case *cli.IntFlag:
		if address.IsNumber(strings.TrimLeft(value, "+-")) {
			return problem.Usage("%s: %s is too large", what, value)
		}
		return problem.Usage("%s: %q is not a whole number", what, value)
	case *timeFlag:
		return problem.UsageHint(fmt.Errorf("%s: %q is not a time such as 30s or 2h", what, value), problem.DidYouMean(likelySpan(value)))
	case *cli.BoolFlag:
		return problem.Usage("%s: %q is not true or false", what, value)
	}
	return problem.Usage("%s: %q is not a valid value", what, value)
}

// A timeFlag is a flag for a time, which is in seconds if it has no unit.
type timeFlag struct{ cli.DurationFlag }

func (f *timeFlag) Apply(set *flag.FlagSet) error {
	value := spanValue(f.Value)
	f.DefaultText = f.Value.String() // whatever the environment says
	for _, variable := range f.EnvVars {
		if text := os.Getenv(variable); text != "" {
			if err := value.Set(text); err != nil {
				return fmt.Errorf("could not parse %q as duration value from environment variable %q for flag %s: %w", text, variable, f.Name, err)
			}
			f.HasBeenSet = true
			break
		}
	}
	for _, name := range f.Names() {
		set.Var(&value, name, f.Usage)
	}
	return nil
}

// A spanValue is the value of a timeFlag.
type spanValue time.Duration

func (v *spanValue) String() string { return time.Duration(*v).String() }

func (v *spanValue) Set(text string) error {
	d, err := parseSpan(text)
	*v = spanValue(d)
	return err
}

// parseSpan reads a time such as 30s, 1h30m or 2d; without a unit it is in seconds.
func parseSpan(text string) (time.Duration, error) {
	text = strings.ReplaceAll(text, " ", "")
	days, rest, found := strings.Cut(text, "d")
	switch n, err := strconv.ParseFloat(days, 64); {
	case err != nil || strings.Trim(days, "+-.0123456789") != "":
	case !found:
		return time.ParseDuration(text + "s")
	case rest == "":
		return time.ParseDuration(strconv.FormatFloat(24*n, 'f', -1, 64) + "h")
	case n >= 0:
		return time.ParseDuration(strconv.FormatFloat(24*n, 'f', -1, 64) + "h" + rest)
	}
	return time.ParseDuration(text)
}

// unitWords are units of time as people write them, and as parseSpan reads them.
var unitWords = map[string]string{
	"ms": "ms", "msec": "ms", "msecs": "ms", "millisecond": "ms", "milliseconds": "ms",
	"s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "m": "m", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
	"h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "d": "d", "day": "d", "days": "d",
}

// likelySpan returns the time that may have been meant by one with another word for
// its unit, or "".
func likelySpan(text string) string {
	text = fold(text)
	unit := strings.TrimLeft(text, "0123456789.")
	if number := text[:len(text)-len(unit)]; number != "" && unitWords[unit] != "" {
		return number + unitWords[unit]
	}
	return ""
}

// optionsIn finds the flags in an error.
var optionsIn = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`--[a-z][a-z-]*`) })

// nameVariables names, in an error about the command line, the variables of flags
// that are not given there.
func nameVariables(cmd *cli.Command, given map[string]bool, text string) string {
	return optionsIn().ReplaceAllStringFunc(text, func(option string) string {
		f := flagNamed(cmd.Flags, option[2:])
		if f == nil || given[option[2:]] {
			return option
		}
		if env := docOf(f).env; env != "" && os.Getenv(env) != "" {
			return env
		}
		return option
	})
}
