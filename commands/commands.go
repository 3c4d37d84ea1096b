// Package commands is labnet's command line: one file for each subcommand,
// which turns its flags into a struct and calls packages wire and storage.
package commands

import (
	"context"
	"errors"
	"os"

	"github.com/urfave/cli/v2"
)

// Main runs the command line args, whose first element is the program's name,
// and returns its exit code: 0 if all was done, 1 if something failed, 2 if
// the command line is wrong, 3 if the server could not be reached or was lost.
// It stops early when ctx ends. If a signal ended the command, Main does not
// return, but ends the process by the same signal.
func Main(ctx context.Context, args []string) int {
	con := newConsole()
	app := newApp(con)
	for _, cmd := range app.Commands {
		dropEmptyEnv(cmd.Flags)
		if len(args) > 1 && args[1] == cmd.Name {
			args = append([]string{args[0], cmd.Name}, gnuOrder(cmd.Flags, args[2:])...)
			break
		}
	}
	err := app.RunContext(ctx, args)
	if why, ok := errors.AsType[interruption](err); ok {
		dieOf(why.signal)
	}
	if err == nil || ctx.Err() != nil {
		return 0
	}
	return con.fail(err)
}

func newApp(con *console) *cli.App {
	app := &cli.App{
		Name:            "labnet",
		Usage:           "send messages, blobs and files over TCP, and keep them",
		Version:         version(),
		HideHelpCommand: true,
		Flags:           []cli.Flag{cli.HelpFlag}, // not by itself beside a command called help
		Commands: []*cli.Command{
			serveCommand(con), pingCommand(con), sayCommand(con), blobCommand(con), uploadCommand(con),
			helpCommand(), versionCommand(con),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usageError("unknown command %q", c.Args().First())
			}
			return usageError("no command given")
		},
		OnUsageError:   wrongUsage,
		ExitErrHandler: func(*cli.Context, error) {}, // Main alone maps errors to exit codes
		Writer:         con.out,
		ErrWriter:      con.err,
	}
	for _, cmd := range app.Commands {
		// Otherwise a file called "h" or "help" would print the help.
		cmd.HideHelpCommand = true
		cmd.OnUsageError = wrongUsage
	}
	return app
}

func wrongUsage(_ *cli.Context, err error, _ bool) error { return usageError("%w", err) }

// dropEmptyEnv makes an empty environment variable count as unset.
func dropEmptyEnv(flags []cli.Flag) {
	for _, f := range flags {
		if f, ok := f.(cli.DocGenerationFlag); ok {
			for _, name := range f.GetEnvVars() {
				if os.Getenv(name) == "" {
					os.Unsetenv(name)
				}
			}
		}
	}
}

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "show the help of labnet or of a command",
		ArgsUsage: "[COMMAND]",
		Action: func(c *cli.Context) error {
			switch name := c.Args().First(); {
			case name == "":
				return cli.ShowAppHelp(c)
			case c.App.Command(name) == nil:
				return usageError("unknown command %q", name)
			default:
				return cli.ShowCommandHelp(c, name)
			}
		},
	}
}
