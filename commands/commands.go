// Package commands is labnet's command line: one file for each subcommand,
// which turns its flags into a struct and calls packages wire and storage.
package commands

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/interrupt"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
)

// Main runs the command line args, whose first element is the program's name,
// and returns its exit code: 0 if all was done, 1 if something failed, 2 if
// the command line is wrong, 3 if the server could not be reached or was lost.
// It stops early when ctx ends. If a signal ended the command, Main does not
// return, but ends the process by the same signal.
func Main(ctx context.Context, args []string) int {
	return run(ctx, terminal.New(os.Stdin, os.Stdout, os.Stderr), args)
}

func run(ctx context.Context, con *terminal.Console, args []string) int {
	app := newApp(con)
	cmd, rest := commandFirst(app, args[1:])
	if cmd == nil {
		return con.End(noCommand(app, args[1:]))
	}
	dropEmptyEnv(cmd.Flags)
	if cmd.Name == "check" {
		rest, app.Metadata["program"] = cutProgram(rest)
	}
	ordered := gnuOrder(cmd.Flags, rest)
	con.Begin(cmd.Name, givenJSON(cmd.Flags, ordered))
	app.Metadata["ordered"] = ordered
	err := app.RunContext(ctx, slices.Concat(args[:1], []string{cmd.Name}, ordered))
	if why, ok := errors.AsType[interrupt.Error](err); ok {
		con.End(err)
		interrupt.Die(why.Signal)
	}
	if ctx.Err() != nil {
		err = nil
	}
	if bad, ok := errors.AsType[*problem.UsageError](err); ok {
		if bad.Hint == "" && cmd.Name != "help" {
			bad.Hint = "'labnet help " + cmd.Name + "' shows its flags"
		}
		bad.Err = errors.New(nameVariables(cmd, givenFlags(cmd.Flags, ordered), bad.Error()))
	}
	return con.End(err)
}

func newApp(con *terminal.Console) *cli.App {
	cli.HelpFlag = nil // withHelp gives each command another
	app := &cli.App{
		Name:        "labnet",
		Usage:       "send messages, blobs and files over TCP, and store them",
		Metadata:    make(map[string]any),
		HideHelp:    true, // there is another, and a version
		HideVersion: true,

		DisableSliceFlagSeparator: true, // a pattern may have commas
		Commands: []*cli.Command{
			serveCommand(con), pingCommand(con), sayCommand(con), blobCommand(con), uploadCommand(con), verifyCommand(con), checkCommand(con),
			inviteCommand(con), revokeCommand(con), usersCommand(con),
			joinCommand(con), serversCommand(con), leaveCommand(con),
			completionCommand(), helpCommand(), versionCommand(con),
		},
		ExitErrHandler: func(*cli.Context, error) {}, // Main alone maps errors to exit codes
		Writer:         con,
		ErrWriter:      con.Err,
	}
	for _, cmd := range app.Commands {
		withHelp(cmd)
		for i, f := range cmd.Flags {
			if f, ok := f.(*cli.DurationFlag); ok {
				cmd.Flags[i] = &timeFlag{*f}
			}
		}
		cmd.OnUsageError = wrongUsage
	}
	return app
}

func wrongUsage(c *cli.Context, err error, _ bool) error {
	return flagError(c.App, c.Command.Flags, err)
}

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
