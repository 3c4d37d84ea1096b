package commands

import (
	"context"
	"errors"
	"iter"
	"path"
	"slices"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

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
	client.Retrier
}

// An uploader uploads files over one session.
type uploader struct {
	con *terminal.Console
	client.Session
	uploadOptions
	tally terminal.Tally

	brief  bool // no lines about unremarkable files of folders
	nested bool // some of what was sent was in a folder
}

func (u *uploader) uploadAll(ctx context.Context, args []string) error {
	if err := u.sendAll(ctx, u.items(args)); err != nil {
		return err
	}
	return u.tally.Err("files not uploaded")
}

// uploadOutput uploads what a command writes.
func (u *uploader) uploadOutput(ctx context.Context, argv []string) error {
	const usage = "upload --name NAME --from-command -- COMMAND [ARG…]"
	switch {
	case len(argv) == 0:
		return problem.UsageHint(errors.New("--from-command: no command given"), usage)
	case u.name == "":
		return problem.UsageHint(errors.New("--from-command needs --name"), usage)
	case u.Lab != 0:
		return problem.Usage("--from-command does not go with --lab: the course's protocol has no files of unknown size")
	}
	s, err := fromCommand(argv, u.con.Interrupts)
	if err != nil {
		return err
	}
	it := &item{file: "-", name: path.Join(u.into, u.name), stream: s}
	if err := u.sendAll(ctx, slices.Values([]*item{it})); err != nil {
		return err
	}
	return u.tally.Err("files not uploaded")
}

// ask uploads the files that a person names.
func (u *uploader) ask(ctx context.Context) error {
	lines := u.con.Lines(terminal.CompleteFile)
	defer lines.Stop()
	for {
		line, err := lines.Next(ctx, "file: ")
		if err != nil {
			return u.tally.End(err, "files not uploaded")
		}
		names := terminal.FileNames(line)
		switch {
		case len(names) == 0:
			continue
		case len(names) > 1 && u.name != "":
			u.con.Tell("error: %s", errOneName)
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
	u.brief = !u.verbose && !u.con.JSON && terminal.IsTerminal(u.con.Out)
	u.tally.Recap, u.nested = terminal.Recap{}, false
	of := u.con.Totals("file")
	err := u.sendEach(ctx, items)
	u.tally.Recap.Tell(u.con)
	if u.nested || of.Outcomes() > 1 {
		of.Tell(err != nil, u.tally.Recap.Failed)
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
	return u.tally.Count(ctx, u.con, u.object(it), err)
}

var errOneName = problem.UsageHint(errors.New("--name goes with a single file or folder"), "--into FOLDER, or a name that ends in /, is a folder for all of them")
