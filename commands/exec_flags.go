package commands

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/problem"
)

// ofExec is the title of the flags about it in the help.
const ofExec = "Commands run for what was received"

func execFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "exec", Category: ofExec, Usage: "run `COMMAND` for each thing received, without a shell"},
		&cli.StringFlag{Name: "exec-on", Category: ofExec, Value: strings.Join(receiptOps, ","), Usage: "run it only for these `KINDS` of things"},
		&cli.IntFlag{Name: "exec-jobs", Category: ofExec, Value: defaultExecJobs, Usage: "run at most `N` commands at a time"},
		&cli.DurationFlag{Name: "exec-timeout", Category: ofExec, Value: defaultExecTimeout, Usage: "end a command after `TIME`"},
	}
}

func execOptionsOf(c *cli.Context) (o execOptions, err error) {
	o = execOptions{on: strings.Split(c.String("exec-on"), ","), jobs: c.Int("exec-jobs"), timeout: c.Duration("exec-timeout")}
	for i, op := range o.on {
		if o.on[i], err = choose("--exec-on", op, receiptOps); err != nil {
			return o, err
		}
	}
	switch {
	case o.jobs <= 0:
		return o, problem.Usage("--exec-jobs must be more than zero")
	case o.timeout <= 0:
		return o, problem.Usage("--exec-timeout must be more than zero")
	}
	if c.IsSet("exec") {
		o.argv, err = splitCommand(c.String("exec"))
	}
	return o, err
}
