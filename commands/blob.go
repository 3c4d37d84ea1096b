package commands

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/address"
	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/size"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

func blobCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:  "blob",
		Usage: "send random bytes",
		Description: "On a terminal, without -s and -n, prompts for what to send. " +
			"If the connection is lost before the answer, the blob is sent again, so the server may store it twice.",
		Flags: clientFlags(append(retryFlags(),
			limitRateFlag("send"), sizeBytesFlag(), bigEndianFlag(),
			&cli.StringFlag{Name: "size", Aliases: []string{"s"}, Value: "1MiB", Usage: "send `SIZE` bytes"},
			&cli.IntFlag{Name: "count", Aliases: []string{"n"}, Value: 1, Usage: "send `N` blobs"},
		)...),
		Action: stoppable(con, func(c *cli.Context) error {
			o, err := clientOptionsOf(c, con, wire.Lab4, wire.Lab5)
			if err != nil {
				return err
			}
			r, err := retrierOf(c)
			if err != nil {
				return err
			}
			if o.Bandwidth, err = bandwidthOf(c); err != nil {
				return err
			}
			length, err := size.Parse(c.String("size"))
			count := c.Int("count")
			switch {
			case err != nil:
				return problem.Usage("--size: %w", err)
			case count <= 0:
				return problem.Usage("--count must be more than zero")
			case c.Args().Present():
				return blobArgument(c)
			}
			b := &blobber{con, client.Session{Options: o}, r, length}
			defer b.Close()
			if con.Interactive() && !c.IsSet("size") && !c.IsSet("count") {
				return b.ask(c.Context)
			}
			return b.sendAll(c.Context, count)
		}),
	}
}

// blobArgument is the error about arguments of blob, which takes none.
func blobArgument(c *cli.Context) error {
	args := c.Args().Slice()
	bad := &problem.UsageError{Err: fmt.Errorf("blob takes no arguments, but %q was given", args[0])}
	length := strings.Join(args, "") // such as 10 MB
	if isGiven(c, "size") {
		length = c.String("size") + length
	}
	if _, err := size.Parse(length); err == nil {
		bad.Hint = problem.DidYouMean("--size " + length)
	} else if addr, likely := address.Likely(args[0]); likely {
		bad.Hint = problem.DidYouMean("--addr " + addr)
	}
	return bad
}

// A blobber sends blobs of one size.
type blobber struct {
	con *terminal.Console
	client.Session
	client.Retrier
	length int64
}

// ask asks for the type of each message, as Task 4 does.
func (b *blobber) ask(ctx context.Context) error {
	lines := b.con.Lines(nil)
	defer lines.Stop()
	var t terminal.Tally
	for {
		kind, err := lines.Next(ctx, "1 text, 2 random bytes: ")
		if err != nil {
			return t.End(err, "messages not sent")
		}
		var o terminal.Object
		switch strings.TrimSpace(kind) {
		case "1":
			var text string
			if text, err = lines.Next(ctx, "text: "); err != nil {
				return t.End(err, "messages not sent")
			}
			if text == "" {
				continue
			}
			s := &speaker{b.con, &b.Session, b.Retrier}
			o, err = s.say(ctx, text)
		case "2":
			end := b.con.Work(ctx, "blobs", 1, b.Lab != 0)
			o, err = b.send(ctx, b.Patience())
			end()
		case "":
			continue
		default:
			b.con.Tell("%s is neither 1 nor 2", escape.Name(kind))
			continue
		}
		if err := t.Count(ctx, b.con, o, err); err != nil {
			return err
		}
	}
}

func (b *blobber) sendAll(ctx context.Context, count int) error {
	var t terminal.Tally
	of := b.con.Totals("blob")
	err := b.sendEach(ctx, &t, count)
	if count > 1 {
		of.Tell(err != nil, t.Failed)
	}
	return cmp.Or(err, t.Err("blobs not sent"))
}

// sendEach sends so many blobs. It returns an error if no other can be sent either.
func (b *blobber) sendEach(ctx context.Context, t *terminal.Tally, count int) error {
	defer b.con.Work(ctx, "blobs", count, b.Lab != 0)()
	patience := b.Patience()
	for range count {
		o, err := b.send(ctx, patience)
		if err := t.Count(ctx, b.con, o, err); err != nil {
			return err
		}
		if client.IsServerGone(err) && b.HasReached() {
			return err // it was waited for long enough
		}
		b.con.Meter.Tell()
	}
	return nil
}

// send sends one blob of random bytes, and returns its outcome or why there is none.
func (b *blobber) send(ctx context.Context, p *client.Patience) (terminal.Object, error) {
	done := terminal.Object{Op: "blob", Addr: b.Addr, Size: &b.length}
	start := time.Now()
	if b.Lab != 0 {
		err := b.sendBytes(func(bytes io.Reader) error {
			return b.LabDo(ctx, func(c *wire.LabClient) error { return c.Blob(ctx, bytes, b.length) })
		})
		if err == nil {
			done.Unconfirmed = true
			b.con.Sent(done, "random bytes", "", terminal.Unconfirmed, time.Since(start))
		}
		return done, err
	}
	var saved wire.Saved
	tries := &client.Tries{Session: &b.Session, Con: b.con, Thing: "blob", Patience: p}
	err := tries.Do(ctx, func() error {
		return b.sendBytes(func(bytes io.Reader) error {
			return b.Do(ctx, func(c *wire.Client) (err error) {
				saved, err = c.Blob(ctx, bytes, b.length)
				return err
			})
		})
	})
	done.AnswerLost = tries.Unanswered
	if err == nil {
		done.Name, done.CRC64NVME = saved.Name, saved.Hex()
		b.con.Sent(done, saved.Name, "crc64nvme:"+saved.Hex(), "", time.Since(start))
	}
	return done, err
}

// sendBytes calls send with random bytes.
func (b *blobber) sendBytes(send func(io.Reader) error) error {
	var seed [32]byte
	rand.Read(seed[:])
	bytes := b.con.Meter.Measure("random bytes", b.length, io.NopCloser(mathrand.NewChaCha8(seed)), nil)
	defer bytes.Close()
	return send(bytes)
}
