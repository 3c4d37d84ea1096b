package commands

import (
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
			if wantsValue(flags, arg) && len(args) > 0 {
				options = append(options, args[0])
				args = args[1:]
			}
		}
	}
	return slices.Concat(options, []string{"--"}, operands)
}

// wantsValue reports whether the flag that arg gives takes the next argument
// for its value.
func wantsValue(flags []cli.Flag, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			f, ok := f.(cli.DocGenerationFlag)
			return ok && f.TakesValue()
		}
	}
	return false
}
