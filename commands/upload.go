package commands

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/wire"
)

// errChanged means that a file was written to while it was sent.
var errChanged = errors.New("changed while it was read")

// unconfirmed is the remark on what was sent in the lab dialect.
const unconfirmed = "sent, not confirmed by the server"

// uploadOptions are the flags of upload.
type uploadOptions struct {
	name    string // for a single argument; "" takes its own
	digest  wire.Digest
	noTimes bool
	noPerms bool
}

func uploadCommand(con *console) *cli.Command {
	return &cli.Command{
		Name:        "upload",
		Usage:       "send files and folders; done means safe on the server's disk",
		ArgsUsage:   "[FILE | FOLDER | -]…",
		Description: "With -, standard input is the file. Without arguments on a terminal, asks for names.",
		Flags: clientFlags(
			&cli.StringFlag{Name: "name", Usage: "keep it as `NAME` at the server"},
			&cli.StringFlag{Name: "digest", Value: wire.Digests()[0].Name, Usage: "verify by `NAME`: crc64nvme or sha256"},
			&cli.BoolFlag{Name: "no-times", Usage: "do not keep modification times"},
			&cli.BoolFlag{Name: "no-perms", Usage: "do not keep permissions"},
		),
		Action: func(c *cli.Context) error {
			client, err := clientOptionsOf(c, con, wire.Lab6, wire.LabExtra)
			if err != nil {
				return err
			}
			o := uploadOptions{name: c.String("name"), noTimes: c.Bool("no-times"), noPerms: c.Bool("no-perms")}
			var known bool
			if o.digest, known = wire.DigestByName(c.String("digest")); !known {
				return usageError("--digest: %q is neither crc64nvme nor sha256", c.String("digest"))
			}
			u := &uploader{con: con, session: session{clientOptions: client}, uploadOptions: o}
			defer u.close()
			args := c.Args().Slice()
			switch {
			case len(args) > 1 && o.name != "":
				return usageError("--name goes with a single file or folder")
			case len(args) > 0:
				return u.uploadAll(c.Context, args)
			case con.interactive():
				return u.ask(c.Context)
			}
			return &badUsage{errors.New("no file given"), "name files or folders, or - for standard input"}
		},
	}
}

// An uploader uploads files over one session.
type uploader struct {
	con *console
	session
	uploadOptions
	tally tally
}

func (u *uploader) uploadAll(ctx context.Context, args []string) error {
	for _, arg := range args {
		if err := u.upload(ctx, arg); err != nil {
			return err
		}
	}
	return u.tally.err("files not uploaded")
}

// ask uploads the files that a person names.
func (u *uploader) ask(ctx context.Context) error {
	lines := u.con.lines()
	defer lines.stop()
	for {
		name, more := lines.next(ctx, "file: ")
		if !more {
			return u.tally.err("files not uploaded")
		}
		if name == "" {
			continue
		}
		if err := u.upload(ctx, name); err != nil {
			return err
		}
	}
}

// upload sends what one argument names. It returns an error only if no other
// can be sent either.
func (u *uploader) upload(ctx context.Context, arg string) error {
	if arg == "-" {
		return u.count(ctx, arg, u.stream(ctx, arg, u.con.in, u.name))
	}
	info, err := os.Stat(arg)
	if err != nil {
		return u.count(ctx, arg, err)
	}
	name := u.name
	if name == "" {
		name = baseName(arg)
	}
	switch {
	case info.IsDir():
		return u.folder(ctx, arg, name)
	case info.Mode().IsRegular():
		return u.count(ctx, arg, u.file(ctx, arg, name))
	case info.Mode()&fs.ModeNamedPipe != 0: // such as bash's <(command)
		f, err := os.Open(arg)
		if err == nil {
			err = u.stream(ctx, arg, f, name)
			f.Close()
		}
		return u.count(ctx, arg, err)
	}
	return u.count(ctx, arg, errors.New("neither a file nor a folder"))
}

// baseName is the last part of a path, even of one such as "." or "..".
func baseName(arg string) string {
	if abs, err := filepath.Abs(arg); err == nil {
		arg = abs
	}
	return filepath.Base(arg)
}

// folder sends the files in a folder and those below it.
func (u *uploader) folder(ctx context.Context, root, name string) error {
	// The separator makes it follow root itself if that is a link.
	return filepath.WalkDir(root+string(filepath.Separator), func(file string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch {
		case err != nil:
			return u.count(ctx, file, err)
		case entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			u.con.note("%s: not a regular file, skipped", printable(file))
			return nil
		}
		below, err := filepath.Rel(root, file)
		if err == nil {
			err = u.file(ctx, file, path.Join(name, filepath.ToSlash(below)))
		}
		return u.count(ctx, file, err)
	})
}

// count notes the outcome of one file. Its error ends all.
func (u *uploader) count(ctx context.Context, file string, err error) error {
	if err != nil {
		if u.con.json && ctx.Err() == nil {
			u.con.result(failed{"upload", u.addr, file, describe(err).message}, "")
		}
		err = &itemError{file, err}
	}
	return u.tally.count(ctx, u.con, err)
}

// file sends one regular file.
func (u *uploader) file(ctx context.Context, file, name string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	a := wire.Announcement{Name: name, Size: info.Size(), Digest: u.digest}
	if !u.noTimes {
		a.ModTime = info.ModTime()
	}
	if !u.noPerms {
		a.Mode = info.Mode().Perm()
	}
	return u.send(ctx, file, a, &steadyFile{f, info})
}

// stream sends what comes until its end. Without a name the server makes one.
func (u *uploader) stream(ctx context.Context, file string, r io.Reader, name string) error {
	if u.lab != 0 {
		return errors.New("the course's protocol has no files of unknown size")
	}
	return u.send(ctx, file, wire.Announcement{Name: name, Size: -1, Digest: u.digest}, r)
}

func (u *uploader) send(ctx context.Context, file string, a wire.Announcement, r io.Reader) error {
	// Some systems spell accented letters in two characters; servers keep names
	// in one spelling.
	a.Name = norm.NFC.String(a.Name)
	start := time.Now()
	done := sent{Op: "upload", Addr: u.addr, File: file, Name: a.Name, Size: a.Size}
	if u.lab != 0 {
		err := u.labDo(ctx, func(c *wire.LabClient) error { return c.Upload(ctx, a.Name, r, a.Size) })
		if err != nil {
			return err
		}
		done.Unconfirmed = true
		done.print(u.con, file, unconfirmed, time.Since(start))
		return nil
	}
	var saved wire.Saved
	err := u.do(ctx, func(c *wire.Client) (err error) {
		saved, err = c.Upload(ctx, a, r)
		return err
	})
	if err != nil {
		return err
	}
	remark := ""
	switch {
	case saved.Unchanged:
		remark = "unchanged"
	case saved.Name != a.Name:
		remark = "kept as " + printable(saved.Name)
	}
	done.Name, done.Size, done.Unchanged = saved.Name, saved.Size, saved.Unchanged
	done.Digest = a.Digest.Name + ":" + saved.Hex()
	done.print(u.con, file, remark, time.Since(start))
	return nil
}

// A steadyFile reads a file, and fails in place of its end if it was written
// to meanwhile.
type steadyFile struct {
	*os.File
	before fs.FileInfo
}

func (f *steadyFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if err == io.EOF {
		now, statErr := f.Stat()
		if statErr != nil {
			return n, statErr
		}
		if now.Size() != f.before.Size() || !now.ModTime().Equal(f.before.ModTime()) {
			return n, errChanged
		}
	}
	return n, err
}
