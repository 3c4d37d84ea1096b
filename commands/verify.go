package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/bandwidth"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/verify"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/storage/s3"
)

func verifyCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "tell whether what is stored is still what was received",
		ArgsUsage: "[STORE]",
		Description: "Reads all files of STORE, a folder or s3://BUCKET/PREFIX as for serve --store, and compares them with the checksums that were noted when they were received. " +
			"Without STORE, it is $LABNET_STORE, or the folder received. " +
			"A server may be running meanwhile. Exits with 1 if a file is damaged, was changed since, or cannot be read. An object store is read over the network, all of it.",
		Flags: []cli.Flag{
			limitRateFlag("read"),
			&cli.BoolFlag{Name: "json", Usage: "print results as JSON, one object per line"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but errors"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "list every file"},
		},
		Action: stoppable(con, func(c *cli.Context) error {
			o, err := verifyOptionsOf(c, con)
			if err != nil {
				return err
			}
			return verifyStore(c.Context, con, o)
		}),
	}
}

// verifyOptions are the flags of verify.
type verifyOptions struct {
	store     string
	bandwidth *bandwidth.Limit
	verbose   bool
}

func verifyOptionsOf(c *cli.Context, con *terminal.Console) (o verifyOptions, err error) {
	con.JSON, con.Quiet = c.Bool("json"), c.Bool("quiet")
	o = verifyOptions{store: cmp.Or(c.Args().First(), os.Getenv("LABNET_STORE"), defaultStore), verbose: c.Bool("verbose")}
	switch {
	case c.Args().Len() > 1:
		return o, problem.Usage("verify takes one store, but %q and %q were given", c.Args().First(), c.Args().Get(1))
	case o.verbose && con.Quiet:
		return o, problem.Usage("--verbose cannot be used with --quiet")
	}
	if o.isObject() {
		if err := checkObjectStore(o.store, os.Getenv); err != nil {
			return o, err
		}
	}
	o.bandwidth, err = bandwidthOf(c)
	return o, err
}

func (o verifyOptions) isObject() bool { return strings.HasPrefix(o.store, objectScheme) }

// open opens the store, and returns how much of it is best read at once. A disk should
// not have to seek between large files, but an object store takes its time for each.
func (o verifyOptions) open(ctx context.Context) (r storage.Reader, files, large int, err error) {
	if !o.isObject() {
		reader, err := dir.OpenReader(o.store)
		if err != nil {
			return nil, 0, 0, &readStoreError{storeError{o.store, errors.Unwrap(err)}}
		}
		return reader, 4, 1, nil
	}
	l, err := s3.ParseLocation(o.store, os.Getenv)
	if err != nil {
		return nil, 0, 0, err
	}
	reader, err := s3.OpenReader(ctx, l, s3.Options{})
	if err != nil {
		return nil, 0, 0, &objectStoreError{l.String(), errors.Unwrap(err)}
	}
	return reader, 16, 4, nil
}

// A readStoreError means that the folder of a store cannot be read.
type readStoreError struct{ storeError }

func (e *readStoreError) Describe() problem.Description {
	return problem.Description{Hint: "name the store that 'labnet serve' was given with --store"}
}

func verifyStore(ctx context.Context, con *terminal.Console, o verifyOptions) error {
	reader, files, large, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	v := &verification{Console: con, verifyOptions: o, begun: time.Now()}
	end := con.Reading(ctx, "files")
	err = verify.Run(ctx, reader, verify.Options{Files: files, Large: large, Limit: o.bandwidth.Reader, Meter: &con.Meter},
		func(r verify.Result) { v.report(ctx, r) })
	end()
	con.Verified(v.sum)
	if err != nil {
		return err
	}
	v.tally.Recap.Tell(con)
	return v.end()
}

// A verification counts what verify prints.
type verification struct {
	*terminal.Console
	verifyOptions
	begun time.Time
	tally terminal.Tally
	sum   terminal.VerifySummary
}

// report prints what came of a file.
func (v *verification) report(ctx context.Context, r verify.Result) {
	v.sum.ReadFiles++
	v.sum.ReadBytes += r.Size
	o := terminal.Object{Op: "verify", Name: r.Name, Size: &r.Size}.AtPath(v.path(r.Name))
	o = o.WithDigest(r.Digest, fmt.Sprintf("%x", r.Sum))
	switch r.Verdict {
	case verify.Intact:
		v.sum.Intact++
		v.tally.Count(ctx, v.Console, o, nil)
		if v.verbose {
			v.Result(o, "%s  %s  %s:%x", escape.Name(r.Name), terminal.Amount(r.Size), r.Digest, r.Sum)
		} else {
			v.Received()
		}
		return
	case verify.NoDigest:
		v.sum.NoDigest++
		v.Unverified(o, string(r.Verdict), "nothing was noted of it", v.verbose)
		return
	case verify.Damaged:
		v.sum.Damaged++
	case verify.Changed:
		v.sum.Changed++
	case verify.Different:
		v.sum.Different++
	case verify.Unreadable:
		v.sum.Unreadable++
	}
	if r.Noted.Sum != nil {
		o.Received = fmt.Sprintf("%s:%x", r.Digest, r.Noted.Sum)
		if r.Noted.Size >= 0 {
			o.ReceivedSize = &r.Noted.Size
		}
	}
	v.tally.Count(ctx, v.Console, o, problem.Item(r.Name, &findingError{r}))
}

// path is where a person finds a file of the store.
func (v *verification) path(name string) string {
	if v.isObject() {
		l, _ := s3.ParseLocation(v.store, os.Getenv)
		return l.String() + name
	}
	return filepath.Join(v.store, filepath.FromSlash(name))
}

// end tells how many files there were, and fails if not all is well.
func (v *verification) end() error {
	s := v.sum
	text := terminal.NumberOf(s.ReadFiles, "file")
	if s.ReadFiles > 0 {
		took := time.Since(v.begun)
		text += ", " + terminal.Amount(s.ReadBytes) + ", " + terminal.About(took) +
			", " + terminal.Amount(int64(float64(s.ReadBytes)/max(took.Seconds(), 1e-6))) + "/s"
	}
	for _, of := range []struct {
		n    int
		what string
	}{
		{s.Intact, "as received"}, {s.Damaged, "damaged"}, {s.Changed, "changed since"}, {s.Different, "different"},
		{s.Unreadable, "unreadable"}, {s.NoDigest, "without a digest"},
	} {
		if of.n == s.ReadFiles && of.n > 0 {
			text += "; all " + of.what
		} else if of.n > 0 {
			text += "; " + terminal.Grouped(of.n) + " " + of.what
		}
	}
	v.Say("%s", text)
	if s.NoDigest > 0 && s.NoDigest == s.ReadFiles {
		return errNothingNoted
	}
	return v.tally.Err("files not as received")
}

var errNothingNoted = problem.New("no file has a digest to compare it with", string(verify.NoDigest),
	"labnet notes them in extended attributes: the store's file system may have none, or the files were copied without them")

// A findingError is what is wrong with a file.
type findingError struct{ verify.Result }

func (e *findingError) Error() string {
	if e.Err != nil {
		return string(e.Verdict) + ": " + problem.Of(e.Err).Message
	}
	what := map[verify.Verdict]string{
		verify.Damaged:   "damaged: its contents are not those received, and nobody has written to it since",
		verify.Changed:   "changed since it was received",
		verify.Different: "not what was received: damaged, or changed since",
	}[e.Verdict]
	if was := e.Noted.Size; was >= 0 && was != e.Size {
		what += fmt.Sprintf(" (%s, not %d)", terminal.NumberOf(int(e.Size), "byte"), was)
	}
	return what
}

func (e *findingError) Unwrap() error { return e.Err }

func (e *findingError) Describe() problem.Description {
	d := problem.Description{Kind: string(e.Verdict)}
	if e.Verdict == verify.Unreadable {
		d.Kind = problem.Of(e.Err).Kind
		if errors.Is(e.Err, storage.ErrDegraded) {
			d.Kind = "degraded"
		}
	}
	return d
}
