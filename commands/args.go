package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// gnuOrder moves the flags of a command before its arguments and marks the
// border with "--", because the flag package takes what follows the first
// argument for arguments. As with GNU tools, a "--" ends the flags, and "-"
// is an argument.
func gnuOrder(flags []cli.Flag, args []string) []string {
	var options, operands []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			operands = append(operands, args...)
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

// flagError says in other words what package flag and the library say of a
// wrong flag.
func flagError(flags []cli.Flag, err error) error {
	var value, name, kind, variable string
	said := err.Error()
	if name, ok := strings.CutPrefix(said, "flag provided but not defined: -"); ok {
		return usageError("unknown flag %s", dashed(name))
	}
	if name, ok := strings.CutPrefix(said, "flag needs an argument: -"); ok {
		return usageError("%s needs a value", dashed(name))
	}
	for _, form := range []string{"invalid value %q for flag -%s", "invalid boolean value %q for -%s"} {
		if _, err := fmt.Sscanf(said, form, &value, &name); err == nil {
			name = strings.TrimSuffix(name, ":")
			return usageError("%s: %q is not %s", dashed(name), value, wanted(flagNamed(flags, name)))
		}
	}
	if _, err := fmt.Sscanf(said, "could not parse %q as %s value from environment variable %q for flag %s", &value, &kind, &variable, &name); err == nil {
		return usageError("%s in the environment: %q is not %s", variable, value, wanted(flagNamed(flags, strings.TrimSuffix(name, ":"))))
	}
	return usageError("%w", err)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// wanted describes the values of a flag.
func wanted(f cli.Flag) string {
	switch f.(type) {
	case *cli.IntFlag:
		return "a whole number, or is too large"
	case *cli.DurationFlag:
		return "a time such as 30s or 2h"
	case *cli.BoolFlag:
		return "true or false"
	}
	return "a value of it"
}
