// Package uploader finds, prepares and sends many files over one session.
package uploader

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

// Options are the flags of upload.
type Options struct {
	Name    string // for a single argument; "" takes its own
	Into    string // the folder at the server; "" is the top
	Exclude Exclusion
	Digest  wire.Digest
	Follow  bool
	NoTimes bool
	NoPerms bool
	Verbose bool
	Quick   bool // files of equal size and time are not read
	Check   bool // nothing is sent
	client.Retrier
}

// An Uploader uploads files over one session.
type Uploader struct {
	Con *terminal.Console
	client.Session
	Options
	tally terminal.Tally

	brief  bool // no lines about unremarkable files of folders
	nested bool // some of what was sent was in a folder
}

// Upload uploads files and folders, "-" for standard input. Its error sums up what was not
// uploaded, which was told, or says why nothing else could be.
func (u *Uploader) Upload(ctx context.Context, args []string) error {
	if err := u.SendAll(ctx, u.Items(args)); err != nil {
		return err
	}
	return u.tally.Err(u.undone())
}

// undone sums up what failed.
func (u *Uploader) undone() string {
	if u.Check {
		return "files not found unchanged at the server"
	}
	return "files not uploaded"
}

// UploadOutput uploads what a command writes.
func (u *Uploader) UploadOutput(ctx context.Context, argv []string) error {
	const usage = "upload --name NAME --from-command -- COMMAND [ARG…]"
	switch {
	case len(argv) == 0:
		return problem.UsageHint(errors.New("--from-command: no command given"), usage)
	case u.Name == "":
		return problem.UsageHint(errors.New("--from-command needs --name"), usage)
	case u.Lab != 0:
		return problem.Usage("--from-command does not go with --lab: the course's protocol has no files of unknown size")
	}
	s, err := fromCommand(argv, u.Con.Interrupts)
	if err != nil {
		return err
	}
	it := &item{file: "-", name: path.Join(u.Into, u.Name), stream: s}
	if err := u.SendAll(ctx, slices.Values([]*item{it})); err != nil {
		return err
	}
	return u.tally.Err("files not uploaded")
}

// Ask uploads the files that a person names.
func (u *Uploader) Ask(ctx context.Context) error {
	lines := u.Con.Lines(terminal.CompleteFile)
	defer lines.Stop()
	for {
		line, err := lines.Next(ctx, "file: ")
		if err != nil {
			return u.tally.End(err, u.undone())
		}
		names := terminal.FileNames(line)
		switch {
		case len(names) == 0:
			continue
		case len(names) > 1 && u.Name != "":
			u.Con.Tell("error: %s", ErrOneName)
			continue
		}
		if err := u.SendAll(ctx, u.Items(names)); err != nil {
			return err
		}
	}
}

// SendAll sends items, and sums up if they are several. It returns an error only if
// no other can be sent either.
func (u *Uploader) SendAll(ctx context.Context, items iter.Seq[*item]) error {
	u.brief = !u.Verbose && !u.Con.JSON && terminal.IsTerminal(u.Con.Out)
	u.tally.Recap, u.nested = terminal.Recap{}, false
	of := u.Con.Totals("file")
	err := u.sendEach(ctx, items)
	u.tally.Recap.Tell(u.Con)
	if u.nested || of.Outcomes() > 1 {
		of.Tell(err != nil, u.tally.Recap.Failed)
	}
	return err
}

// count notes the outcome of one item. Its error ends all.
func (u *Uploader) count(ctx context.Context, it *item, err error) error {
	u.nested = u.nested || it.nested
	if err != nil {
		if s := it.stream; s != nil && s.producer != nil && s.producer.ended {
			err = &cutShortError{s.producer.argv[0], err}
		}
		err = problem.Item(it.label(), err)
	}
	return u.tally.Count(ctx, u.Con, u.object(it), err)
}

// ErrOneName is about --name for several things.
var ErrOneName = problem.UsageHint(errors.New("--name goes with a single file or folder"), "--into FOLDER, or a name that ends in /, is a folder for all of them")
