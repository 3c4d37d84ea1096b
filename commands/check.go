package commands

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/address"
	"github.com/labnet/labnet/commands/check"
	"github.com/labnet/labnet/commands/interrupt"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// checkOptions are the flags of check.
type checkOptions struct {
	check.Options
	list, strict, tap bool
	junit             string
	client            bool
}

func checkCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "try a program of the course, and say what is wrong",
		ArgsUsage: "[SERVER] [-- COMMAND [ARG…]]",
		Description: "Without COMMAND, the server runs already, at SERVER. With it, labnet starts the server in a folder of its own, which is then --dir, " +
			"starts it again when it ends, and quotes its tracebacks. With --client, COMMAND is started for each case; {host}, {port} and {value} " +
			"in it stand for the server and for what to send, which is typed if {value} is not there. Exits with 1 if a case failed.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "lab", Usage: "check `TASK` of the course: 1 to 6 or extra"},
			&cli.StringFlag{Name: "dir", Usage: "look into `FOLDER` for the files that the server stores"},
			&cli.BoolFlag{Name: "client", Usage: "check a client: labnet is its server"},
			&cli.StringFlag{Name: "listen", Aliases: []string{"l"}, Value: "127.0.0.1:9000", Usage: "with --client: accept its connections at `HOST:PORT`; port 0 chooses a free one"},
			&cli.StringFlag{Name: "type", Usage: "with --client: type the lines in `FILE`, in which {value} stands for what is to be sent"},
			&cli.StringFlag{Name: "only", Usage: "run only the cases `IDS`, such as 5.pieces,5.half or 5., and those that they build on"},
			&cli.BoolFlag{Name: "list", Usage: "list the cases of the task"},
			&cli.BoolFlag{Name: "strict", Usage: "exit with 1 after a warning, too"},
			&cli.DurationFlag{Name: "timeout", Value: 2 * time.Second, Usage: "wait at most `TIME` for what a program has to do, and five times as long for it to start"},
			&cli.BoolFlag{Name: "keep", Usage: "leave the files that the server stored"},
			&cli.BoolFlag{Name: "json", Usage: "print results as JSON, one object per line"},
			&cli.BoolFlag{Name: "tap", Usage: "print results as TAP, version 14"},
			&cli.StringFlag{Name: "junit", Usage: "write the report to `FILE`, as JUnit's XML"},
			sizeBytesFlag(), bigEndianFlag(), nameBytesFlag(),
		},
		Action: finishing(func(c *cli.Context) error {
			o, err := checkOptionsOf(c, con)
			if err != nil {
				return err
			}
			return checkProgram(c.Context, con, o)
		}, syscall.SIGHUP), // the command must not run on
	}
}

// These flags say how sizes and names of the lab dialect are written.
func sizeBytesFlag() cli.Flag {
	return &cli.StringFlag{Name: "size-bytes", Value: "types", Usage: "with --lab: sizes have `N` bytes behind type 2: 1, 2, 4 or 8; or as types 2 to 9 say: types"}
}

func bigEndianFlag() cli.Flag {
	return &cli.BoolFlag{Name: "big-endian", Usage: "with --lab: numbers have their most significant byte first"}
}

func nameBytesFlag() cli.Flag {
	return &cli.IntFlag{Name: "name-bytes", Usage: "with --lab: `N` bytes in front of a name say its length: 0, 1, 2 or 4"}
}

// schemeOf reads these flags. Given says whether one of them was.
func schemeOf(c *cli.Context) (s wire.LabScheme, given bool, err error) {
	sizes, err := chosen(c, "size-bytes")
	if err != nil {
		return s, false, err
	}
	s.SizeBytes, _ = strconv.Atoi(sizes) // types is 0
	s.BigEndian = c.Bool("big-endian")
	s.NameBytes = c.Int("name-bytes")
	if !slices.Contains([]int{0, 1, 2, 4}, s.NameBytes) {
		return s, false, problem.Usage("--name-bytes must be 0, 1, 2 or 4")
	}
	given = c.IsSet("size-bytes") || c.IsSet("big-endian") || c.IsSet("name-bytes")
	if given && c.String("lab") == "" {
		return s, false, problem.Usage("--size-bytes, --big-endian and --name-bytes go with --lab")
	}
	return s, given, nil
}

func checkOptionsOf(c *cli.Context, con *terminal.Console) (o checkOptions, err error) {
	con.JSON = c.Bool("json")
	o = checkOptions{list: c.Bool("list"), strict: c.Bool("strict"), tap: c.Bool("tap"), junit: c.String("junit")}
	o.Dir, o.Keep, o.Timeout = c.String("dir"), c.Bool("keep"), c.Duration("timeout")
	o.Command, _ = c.App.Metadata["program"].([]string)
	if c.String("lab") == "" {
		return o, problem.UsageHint(errors.New("--lab is missing"), "labnet check --lab TASK: 1 to 6 or extra")
	}
	if o.Task, err = parseLab(c); err != nil {
		return o, err
	}
	if o.Scheme, o.FixedScheme, err = schemeOf(c); err != nil {
		return o, err
	}
	server := "127.0.0.1:9000"
	switch args := c.Args().Slice(); {
	case o.Timeout <= 0:
		return o, problem.Usage("--timeout must be more than zero")
	case o.tap && con.JSON:
		return o, problem.Usage("--tap cannot be used with --json")
	case len(args) > 1:
		return o, problem.UsageHint(fmt.Errorf("check takes one server, but %q and %q were given", args[0], args[1]), "the command that starts a server stands behind --")
	case len(args) == 1:
		server = args[0]
	}
	if o.client = c.Bool("client"); o.client {
		err = clientOptions(c, &o)
	} else if c.IsSet("listen") || c.IsSet("type") {
		err = problem.Usage("--listen and --type go with --client")
	} else {
		o.Addr, _, err = address.Server(server, "server")
	}
	if err != nil {
		return o, err
	}
	for _, id := range strings.Split(c.String("only"), ",") {
		if id = strings.TrimSpace(id); id != "" {
			o.Only = append(o.Only, id)
		}
	}
	if err := check.CheckOnly(o.Task, o.client, o.Only); err != nil {
		return o, problem.UsageHint(fmt.Errorf("--only: %w", err), "--list in place of --only shows the cases")
	}
	return o, nil
}

// clientOptions are those of --client.
func clientOptions(c *cli.Context, o *checkOptions) (err error) {
	switch {
	case c.Args().Present():
		return problem.UsageHint(errors.New("with --client, the address is where labnet listens"), "--listen "+c.Args().First())
	case o.Dir != "" || o.Keep || o.FixedScheme:
		return problem.Usage("--dir, --keep, --size-bytes, --big-endian and --name-bytes are about servers: they do not go with --client")
	case c.IsSet("type") && o.Command == nil:
		return problem.Usage("--type goes with -- COMMAND")
	}
	if name := c.String("type"); name != "" {
		lines, err := os.ReadFile(name)
		if err != nil {
			return problem.Item(name, err)
		}
		o.Type = string(lines)
	}
	o.Addr, err = address.Listen(c.String("listen"), "--listen")
	return err
}

// checkProgram runs the cases, or lists them.
func checkProgram(ctx context.Context, con *terminal.Console, o checkOptions) error {
	if o.list {
		return listCases(con, o)
	}
	try := check.Server
	if o.client {
		l, err := listenChecked(o.Addr, func(net.Addr) error { return nil })
		if err != nil {
			return &listenError{"--listen", o.Addr, err}
		}
		o.Listener, o.Addr, try = l, l.Addr().String(), check.Client
		o.Tell = func(text string) { con.Tell("%s", text) }
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a write says it, and the command must not run on
	ctx, unread := context.WithCancelCause(ctx)
	defer unread(nil)
	begun := time.Now()
	var results []check.Result
	text := &check.Text{W: con, Colour: terminal.IsTerminal(con.Out) && os.Getenv("NO_COLOR") == ""}
	tap := &check.TAP{W: con}
	switch {
	case con.JSON:
	case o.tap:
		tap.Begin(o.Options)
	default:
		text.Begin(o.Options)
	}
	o.Report = func(r check.Result) {
		r.Seconds = terminal.Seconds(time.Duration(r.Seconds * float64(time.Second)))
		results = append(results, r)
		defer func() {
			if _, err := con.Write(nil); err != nil { // nobody reads any more
				unread(interrupt.Error{Signal: syscall.SIGPIPE})
			}
		}()
		switch {
		case con.JSON:
			con.Write(terminal.Encode(checkObject{"check", terminal.Timestamp(), r}))
		case o.tap:
			tap.Result(r)
		default:
			text.Result(r)
		}
	}
	counts, err := try(ctx, o.Options)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	con.Checked(counts[check.Pass], counts[check.Warn], counts[check.Fail], counts[check.CannotTell], counts[check.NotRun])
	switch {
	case con.JSON:
	case o.tap:
		tap.End(err)
	case err == nil:
		text.End(counts, time.Since(begun))
	}
	if o.junit != "" {
		report, xmlErr := check.JUnit(o.Options, results, err)
		if xmlErr == nil {
			xmlErr = os.WriteFile(o.junit, report, 0o666)
		}
		if xmlErr != nil {
			return errors.Join(problem.Item(o.junit, xmlErr), err)
		}
	}
	switch {
	case errors.Is(err, check.ErrUnreached):
		return &uncheckable{err, o.Command != nil, o.client}
	case errors.Is(err, check.ErrInUse):
		return problem.UsageHint(err, "end it, or check it without -- COMMAND")
	case err != nil:
		if named, ok := errors.AsType[*check.NamedError](err); ok {
			return &problem.UsageError{Err: problem.Item(named.Name, named.Err)}
		}
		return err
	}
	if n := counts[check.Fail]; n > 0 || o.strict && counts[check.Warn] > 0 {
		return problem.Undone("", problem.ExitFailed) // all is said
	}
	return nil
}

// A checkObject is what --json prints of a case.
type checkObject struct {
	Op   string `json:"op"` // "check"
	Time string `json:"time"`
	check.Result
}

func listCases(con *terminal.Console, o checkOptions) error {
	for _, c := range check.List(o.Task, o.client) {
		if con.JSON {
			con.Write(terminal.Encode(struct {
				Op       string `json:"op"` // "case"
				ID       string `json:"id"`
				Task     string `json:"task"`
				Title    string `json:"title"`
				Expected string `json:"expected"`
			}{"case", c.ID, o.Task.String(), c.Title, c.Expected}))
			continue
		}
		fmt.Fprintf(con, "%-11s %s: %s\n", c.ID, c.Title, c.Expected)
	}
	return nil
}

// An uncheckable server was never reached.
type uncheckable struct {
	err             error
	started, client bool
}

func (e *uncheckable) Error() string { return e.err.Error() }
func (e *uncheckable) Unwrap() error { return e.err }

func (e *uncheckable) Describe() problem.Description {
	hint := "start the server, or give the command that starts it behind --"
	switch {
	case e.client:
		hint = "the client must connect to the address given with --listen, 127.0.0.1:9000 if none is"
	case e.started:
		hint = "the command must listen at the address given, 127.0.0.1:9000 if none is"
	}
	return problem.Description{Code: problem.ExitServer, Kind: "unreachable", Hint: hint}
}
