package commands

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/hook"
	"github.com/labnet/labnet/commands/problem"
)

// ofExec is the title of the flags about it in the help.
const ofExec = "Commands run for what was received"

func execFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "exec", Category: ofExec, Usage: "run `COMMAND` for each thing received, without a shell"},
		&cli.StringFlag{Name: "exec-on", Category: ofExec, Value: strings.Join(hook.Ops, ","), Usage: "run it only for these `KINDS` of things"},
		&cli.IntFlag{Name: "exec-jobs", Category: ofExec, Value: hook.DefaultJobs, Usage: "run at most `N` commands at a time"},
		&cli.DurationFlag{Name: "exec-timeout", Category: ofExec, Value: hook.DefaultTimeout, Usage: "end a command after `TIME`"},
	}
}

func execOptionsOf(c *cli.Context) (o hook.Options, err error) {
	o = hook.Options{On: strings.Split(c.String("exec-on"), ","), Jobs: c.Int("exec-jobs"), Timeout: c.Duration("exec-timeout")}
	for i, op := range o.On {
		if o.On[i], err = choose("--exec-on", op, hook.Ops); err != nil {
			return o, err
		}
	}
	switch {
	case o.Jobs <= 0:
		return o, problem.Usage("--exec-jobs must be more than zero")
	case o.Timeout <= 0:
		return o, problem.Usage("--exec-timeout must be more than zero")
	}
	if c.IsSet("exec") {
		o.Argv, err = hook.SplitCommand(c.String("exec"))
	}
	return o, err
}
