package commands

import (
	"context"
	"errors"
	"iter"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/wire"
)

// fromCommandFlag makes a command of the arguments.
const fromCommandFlag = "from-command"

// uploadOptions are the flags of upload.
type uploadOptions struct {
	name    string // for a single argument; "" takes its own
	into    string // the folder at the server; "" is the top
	exclude exclusion
	digest  wire.Digest
	follow  bool
	noTimes bool
	noPerms bool
	verbose bool
	retrier
}

var errOneName = problem.UsageHint(errors.New("--name goes with a single file or folder"), "--into FOLDER, or a name that ends in /, is a folder for all of them")

func uploadCommand(con *console) *cli.Command {
	return &cli.Command{
		Name:        "upload",
		Usage:       "send files and folders; done means safe on the server's disk",
		ArgsUsage:   "[FILE | FOLDER | -]…",
		Description: "With -, the file is read from standard input. With --name NAME --from-command -- COMMAND [ARG…], it is what a command prints, stored only if the command exits with 0. On a terminal, without arguments, prompts for names.",
		Flags: clientFlags(append(retryFlags(),
			limitRateFlag(),
			&cli.StringFlag{Name: "name", Usage: "store it as `NAME` at the server; if NAME ends in /, like --into"},
			&cli.StringFlag{Name: "into", Usage: "store everything in the folder `PATH` at the server"},
			&cli.StringSliceFlag{Name: "exclude", Usage: "leave out what matches `PATTERN`, as in .gitignore; may be repeated"},
			&cli.StringSliceFlag{Name: "exclude-from", Usage: "leave out what matches a pattern in `FILE`, one per line"},
			&cli.BoolFlag{Name: fromCommandFlag, Usage: "run the command after --, and send what it prints"},
			&cli.StringFlag{Name: "digest", Value: wire.Digests()[0].Name, Usage: "verify by `NAME`: crc64nvme or sha256"},
			&cli.BoolFlag{Name: "follow", Aliases: []string{"L"}, Usage: "follow symbolic links inside folders"},
			&cli.BoolFlag{Name: "no-times", Usage: "do not preserve modification times"},
			&cli.BoolFlag{Name: "no-perms", Usage: "do not preserve permissions"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "on a terminal, list every file of a folder"},
		)...),
		Action: stoppable(con, func(c *cli.Context) error {
			client, err := clientOptionsOf(c, con, wire.Lab6, wire.LabExtra)
			if err != nil {
				return err
			}
			args := c.Args().Slice()
			o := uploadOptions{
				follow:  c.Bool("follow"),
				noTimes: c.Bool("no-times"),
				noPerms: c.Bool("no-perms"),
				verbose: c.Bool("verbose"),
			}
			if o.into, o.name, err = destinationOf(c, args); err != nil {
				return err
			}
			if o.exclude, err = readExclusion(c.StringSlice("exclude-from"), c.StringSlice("exclude")); err != nil {
				return err
			}
			if o.retrier, err = retrierOf(c); err != nil {
				return err
			}
			if client.bandwidth, err = bandwidthOf(c); err != nil {
				return err
			}
			digest, err := chosen(c, "digest")
			if err != nil {
				return err
			}
			o.digest, _ = wire.DigestByName(digest)
			u := &uploader{con: con, session: session{clientOptions: client}, uploadOptions: o}
			defer u.close()
			if c.Bool(fromCommandFlag) {
				return u.uploadOutput(c.Context, args)
			}
			if err := checkNotServer(args); err != nil {
				return err
			}
			switch {
			case o.verbose && con.quiet:
				return problem.Usage("--verbose cannot be used with --quiet")
			case len(args) > 0:
				return u.uploadAll(c.Context, args)
			case con.interactive():
				return u.ask(c.Context)
			}
			return problem.UsageHint(errors.New("no file given"), "name files or folders, or - for standard input")
		}),
	}
}

// destinationOf reads where at the server the arguments are kept: in which folder,
// and under which name if not their own. A name that ends in a slash is one of a
// folder, as for cp.
func destinationOf(c *cli.Context, args []string) (into, name string, err error) {
	if c.Bool(fromCommandFlag) {
		args = nil // they are no files
	}
	name = filepath.ToSlash(c.String("name"))
	if c.IsSet("into") {
		into = filepath.ToSlash(c.String("into"))
		if strings.Trim(into, "/") == "" {
			return "", "", problem.Usage("--into needs a folder at the server, such as inbox")
		}
	}
	if folder, ok := strings.CutSuffix(name, "/"); ok {
		into, name = path.Join(into, folder), ""
		if into == "" {
			return "", "", problem.Usage("--name %q names nothing", c.String("name"))
		}
	}
	if into = path.Clean(into); into == "." {
		into = ""
	}
	switch {
	case len(args) > 1 && name != "":
		err = errOneName
	case into != "" && name == "" && slices.Contains(args, "-"):
		err = problem.Usage("standard input needs a name in %q: give --name, too", into)
	}
	return into, name, err
}

// An uploader uploads files over one session.
type uploader struct {
	con *console
	session
	uploadOptions
	tally tally

	brief  bool // no lines about unremarkable files of folders
	nested bool // some of what was sent was in a folder
}

func (u *uploader) uploadAll(ctx context.Context, args []string) error {
	if err := u.sendAll(ctx, u.items(args)); err != nil {
		return err
	}
	return u.tally.err("files not uploaded")
}

// uploadOutput uploads what a command writes.
func (u *uploader) uploadOutput(ctx context.Context, argv []string) error {
	const usage = "upload --name NAME --from-command -- COMMAND [ARG…]"
	switch {
	case len(argv) == 0:
		return problem.UsageHint(errors.New("--from-command: no command given"), usage)
	case u.name == "":
		return problem.UsageHint(errors.New("--from-command needs --name"), usage)
	case u.lab != 0:
		return problem.Usage("--from-command does not go with --lab: the course's protocol has no files of unknown size")
	}
	s, err := fromCommand(argv, u.con.interrupts)
	if err != nil {
		return err
	}
	it := &item{file: "-", name: path.Join(u.into, u.name), stream: s}
	if err := u.sendAll(ctx, slices.Values([]*item{it})); err != nil {
		return err
	}
	return u.tally.err("files not uploaded")
}

// ask uploads the files that a person names.
func (u *uploader) ask(ctx context.Context) error {
	lines := u.con.lines(completeFile)
	defer lines.stop()
	for {
		line, err := lines.next(ctx, "file: ")
		if err != nil {
			return u.tally.end(err, "files not uploaded")
		}
		names := fileNames(line)
		switch {
		case len(names) == 0:
			continue
		case len(names) > 1 && u.name != "":
			u.con.tell("error: %s", errOneName)
			continue
		}
		if err := u.sendAll(ctx, u.items(names)); err != nil {
			return err
		}
	}
}

// sendAll sends items, and sums up if they are several. It returns an error only if
// no other can be sent either.
func (u *uploader) sendAll(ctx context.Context, items iter.Seq[*item]) error {
	u.brief = !u.verbose && !u.con.json && isTerminal(u.con.out)
	u.tally.recap, u.nested = recap{}, false
	of := u.con.totals("file")
	err := u.sendEach(ctx, items)
	u.tally.recap.tell(u.con)
	if u.nested || of.outcomes() > 1 {
		of.tell(err != nil, u.tally.recap.failed)
	}
	return err
}

// count notes the outcome of one item. Its error ends all.
func (u *uploader) count(ctx context.Context, it *item, err error) error {
	u.nested = u.nested || it.nested
	if err != nil {
		if s := it.stream; s != nil && s.producer != nil && s.producer.ended {
			err = &cutShort{s.producer.argv[0], err}
		}
		err = problem.Item(it.label(), err)
	}
	return u.tally.count(ctx, u.con, u.object(it), err)
}
