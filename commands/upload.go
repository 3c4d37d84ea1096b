package commands

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/address"
	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/uploader"
	"github.com/labnet/labnet/wire"
)

// fromCommandFlag makes a command of the arguments.
const fromCommandFlag = "from-command"

func uploadCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:        "upload",
		Usage:       "send files and folders; done means safe on disk",
		ArgsUsage:   "[FILE | FOLDER | -]…",
		Description: "With -, the file is read from standard input. With --name NAME --from-command -- COMMAND [ARG…], it is what a command prints, stored only if the command exits with 0. On a terminal, without arguments, prompts for names.",
		Flags: clientFlags(append(retryFlags(),
			limitRateFlag("send"), sizeBytesFlag(), bigEndianFlag(), nameBytesFlag(),
			&cli.StringFlag{Name: "name", Usage: "store it as `NAME` at the server; if NAME ends in /, like --into"},
			&cli.StringFlag{Name: "into", Usage: "store everything in the folder `PATH` at the server"},
			&cli.StringSliceFlag{Name: "exclude", Usage: "leave out what matches `PATTERN`, as in .gitignore; may be repeated"},
			&cli.StringSliceFlag{Name: "exclude-from", Usage: "leave out what matches a pattern in `FILE`, one per line"},
			&cli.BoolFlag{Name: fromCommandFlag, Usage: "run the command after --, and send what it prints"},
			&cli.StringFlag{Name: "digest", Value: wire.Digests()[0].Name, Usage: "verify by `NAME`: crc64nvme, sha256 or blake3"},
			&cli.BoolFlag{Name: "follow", Aliases: []string{"L"}, Usage: "follow symbolic links inside folders"},
			&cli.BoolFlag{Name: "quick", Usage: "assume that a file of the same size and modification time is unchanged, and do not read it"},
			&cli.BoolFlag{Name: "check", Usage: "send nothing; tell what is missing or different at the server"},
			&cli.BoolFlag{Name: "no-times", Usage: "do not preserve modification times"},
			&cli.BoolFlag{Name: "no-perms", Usage: "do not preserve permissions"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "on a terminal, list every file of a folder"},
		)...),
		Action: stoppable(con, func(c *cli.Context) error {
			connection, err := clientOptionsOf(c, con, wire.Lab6, wire.LabExtra)
			if err != nil {
				return err
			}
			args := c.Args().Slice()
			o := uploader.Options{
				Follow:  c.Bool("follow"),
				NoTimes: c.Bool("no-times"),
				NoPerms: c.Bool("no-perms"),
				Verbose: c.Bool("verbose"),
				Quick:   c.Bool("quick"),
				Check:   c.Bool("check"),
			}
			if err := checkComparing(c, args); err != nil {
				return err
			}
			if o.Into, o.Name, err = destinationOf(c, args); err != nil {
				return err
			}
			if o.Exclude, err = uploader.ReadExclusion(c.StringSlice("exclude-from"), c.StringSlice("exclude")); err != nil {
				return err
			}
			if o.Retrier, err = retrierOf(c); err != nil {
				return err
			}
			if connection.Bandwidth, err = bandwidthOf(c); err != nil {
				return err
			}
			digest, err := chosen(c, "digest")
			if err != nil {
				return err
			}
			o.Digest, _ = wire.DigestByName(digest)
			u := &uploader.Uploader{Con: con, Session: client.Session{Options: connection}, Options: o}
			defer u.Close()
			if c.Bool(fromCommandFlag) {
				return u.UploadOutput(c.Context, args)
			}
			if err := checkNotServer(args); err != nil {
				return err
			}
			switch {
			case o.Verbose && con.Quiet:
				return problem.Usage("--verbose cannot be used with --quiet")
			case len(args) > 0:
				return u.Upload(c.Context, args)
			case con.Interactive():
				return u.Ask(c.Context)
			}
			return problem.UsageHint(errors.New("no file given"), "name files or folders, or - for standard input")
		}),
	}
}

// checkComparing fails for what does not go with --quick or --check.
func checkComparing(c *cli.Context, args []string) error {
	for _, flag := range []string{"quick", "check"} {
		if c.Bool(flag) && c.IsSet("lab") {
			return problem.Usage("--%s cannot be used with --lab: the course's protocol cannot tell what is stored", flag)
		}
	}
	switch {
	case c.Bool("quick") && c.Bool("no-times"):
		return problem.Usage("--quick cannot be used with --no-times: it compares times")
	case c.Bool("check") && (c.Bool(fromCommandFlag) || slices.Contains(args, "-")):
		return problem.UsageHint(errors.New("--check cannot be used with a stream, which would be read only once"), "name files or folders")
	}
	return nil
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
		err = uploader.ErrOneName
	case into != "" && name == "" && slices.Contains(args, "-"):
		err = problem.Usage("standard input needs a name in %q: give --name, too", into)
	}
	return into, name, err
}

// checkNotServer fails if the first or the last of the files to upload is a server.
func checkNotServer(files []string) error {
	if len(files) == 0 {
		return nil
	}
	for _, file := range []string{files[len(files)-1], files[0]} {
		if addr, likely := address.Likely(file); likely && !isFile(file) {
			return problem.UsageHint(fmt.Errorf("%s: no such file; it looks like a server's address", escape.Name(file)), problem.DidYouMean("-a "+shellWords([]string{addr})))
		}
	}
	return nil
}
