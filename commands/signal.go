package commands

import (
	"context"
	"os"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/interrupt"
	"github.com/labnet/labnet/commands/terminal"
)

// finishing is for a client's action that has something to finish after a SIGINT or
// SIGTERM, or one of also: its context ends then, and the process
// once it has returned. A second signal ends the process at once.
func finishing(action cli.ActionFunc, also ...os.Signal) cli.ActionFunc {
	return func(c *cli.Context) error {
		return interrupt.New(c.Context).Run(within(c, action), append(also, os.Interrupt, syscall.SIGTERM)...)
	}
}

// stoppable is for an action of a client: a signal ends its context, once con
// catches signals, and it has a moment to tell how far it came. Before, a signal
// ends the process at once: to the server it makes no difference, and to wait for
// signals costs a client a fifteenth of all the time that it needs for one text
// (BenchmarkStart).
func stoppable(con *terminal.Console, action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		con.Interrupts = interrupt.New(c.Context)
		return con.Interrupts.RunBriefly(within(c, action), func() { con.Erase(true) })
	}
}

// within runs an action of c within a context.
func within(c *cli.Context, action cli.ActionFunc) func(context.Context) error {
	return func(ctx context.Context) error {
		c.Context = ctx
		return action(c)
	}
}
