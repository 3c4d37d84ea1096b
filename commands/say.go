package commands

import (
	"context"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

const asFileHint = "send it as a file with 'labnet upload -'"

var (
	errNotUTF8   = problem.New("the message is not valid UTF-8", "bad-text", "convert it with iconv, or "+asFileHint)
	errNUL       = problem.New("the message contains a NUL byte", "bad-text", asFileHint)
	errEmptyText = problem.New("the message is empty", "bad-text", "")
)

// A longText error is about a message of more than wire.MaxString bytes.
type longText struct{ size int }

func (e *longText) Error() string {
	size := terminal.Grouped(e.size)
	if e.size >= terminal.MaxLine {
		size = "at least " + size // it was not read further
	}
	return "the message has " + size + " bytes, and " + terminal.Grouped(wire.MaxString) + " is the limit"
}

func (e *longText) Describe() problem.Description {
	return problem.Description{Kind: string(wire.CodeTooLarge), Hint: asFileHint}
}

func sayCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:      "say",
		Usage:     "send a message and print the answer",
		ArgsUsage: "[TEXT… | -]",
		Description: "Without TEXT, all of standard input is the message; on a terminal, each line is one. With -, each line of standard input is a message. " +
			"If the connection is lost before the answer, the message is sent again, so the server may receive it twice.",
		Flags: clientFlags(retryFlags()...),
		Action: stoppable(con, func(c *cli.Context) error {
			o, err := clientOptionsOf(c, con, wire.Lab3, wire.Lab4, wire.Lab5, wire.Lab6, wire.LabExtra)
			if err != nil {
				return err
			}
			r, err := retrierOf(c)
			if err != nil {
				return err
			}
			s := &speaker{con, &client.Session{Options: o}, r}
			defer s.Close()
			switch args := c.Args().Slice(); {
			case len(args) == 1 && args[0] == "-" && (con.Interactive() || o.Lab != 0):
				return s.converse(c.Context, "")
			case len(args) == 1 && args[0] == "-":
				return s.sayLines(c.Context)
			case len(args) > 0:
				return s.sayOne(c.Context, strings.Join(args, " "))
			case con.Interactive():
				return s.converse(c.Context, "message: ")
			default:
				return s.sayInput(c.Context)
			}
		}),
	}
}

// A speaker says texts.
type speaker struct {
	con *terminal.Console
	*client.Session
	client.Retrier
}

// said is the outcome of one text.
func (s *speaker) said(text string) terminal.Object {
	o := terminal.Object{Op: "say", Addr: s.Addr}
	if len(text) > wire.MaxString { // it was not sent
		o.Size = new(int64(len(text)))
		text = wire.TruncateText(text, wire.MaxString)
	}
	o.Text = &text
	if !utf8.ValidString(text) {
		o.TextBase64 = []byte(text)
	}
	return o
}

// sayInput says the whole standard input, without the end of its last line.
func (s *speaker) sayInput(ctx context.Context) error {
	input, err := io.ReadAll(io.LimitReader(s.con.Interrupts.TextStream(s.con.In), terminal.MaxLine))
	if err != nil {
		return problem.Item("standard input", err)
	}
	return s.sayOne(ctx, strings.TrimSuffix(strings.TrimSuffix(string(input), "\n"), "\r"))
}

// sayOne is say for the only text of this run.
func (s *speaker) sayOne(ctx context.Context, text string) error {
	o, err := s.say(ctx, text)
	if err != nil && ctx.Err() == nil {
		s.con.Failure(o, err)
	}
	return err
}

// converse says each line of standard input and prints the answer before it
// asks for the next. It goes on after a refusal, but not without a server.
func (s *speaker) converse(ctx context.Context, prompt string) error {
	lines := s.con.Lines(nil)
	defer lines.Stop()
	var t terminal.Tally
	for {
		line, err := lines.Next(ctx, prompt)
		if err != nil {
			return t.End(err, "messages not sent")
		}
		if line == "" && s.con.Interactive() {
			continue
		}
		o, err := s.say(ctx, line)
		if err := t.Count(ctx, s.con, o, err); err != nil {
			return err
		}
	}
}

// say says one text and prints the answer, or returns the outcome and why there is
// none.
func (s *speaker) say(ctx context.Context, text string) (terminal.Object, error) {
	done := s.said(text)
	if err := checkText(text); err != nil {
		return done, err
	}
	if s.Lab != 0 {
		return done, s.labSay(ctx, text, done)
	}
	var reply string
	tries := &client.Tries{Session: s.Session, Con: s.con, Thing: "message", Patience: s.Patience()}
	err := tries.Do(ctx, func() error {
		return s.Do(ctx, func(c *wire.Client) (err error) {
			reply, err = c.Say(ctx, text)
			return err
		})
	})
	done.AnswerLost = tries.Unanswered
	if err == nil {
		done.Reply = &reply
		s.con.Result(done, "%s", escape.Text(reply))
	}
	return done, err
}

func (s *speaker) labSay(ctx context.Context, text string, done terminal.Object) error {
	var reply string
	var ending error
	err := s.LabDo(ctx, func(c *wire.LabClient) (err error) {
		reply, err = c.Say(ctx, text)
		ending = c.Ending()
		return err
	})
	if reply != "" {
		err = nil // of an answer that came, the end is only worth a note
	}
	switch {
	case err != nil:
		return err
	case s.Lab == wire.Lab3:
		done.Reply = &reply
		s.con.Result(done, "%s", escape.Text(reply))
		switch {
		case problem.IsTimeout(ending):
			s.con.Note("the server answered, and kept the connection open")
		case ending != nil:
			s.con.Note("the server answered, and then reset the connection: it did not read all")
		}
	default:
		done.Unconfirmed = true
		s.con.Result(done, "sent; task %s has no answer", s.Lab)
	}
	return nil
}

// checkText says why a text cannot be sent, if so.
func checkText(text string) error {
	switch {
	case len(text) > wire.MaxString:
		return &longText{len(text)}
	case text == "":
		return errEmptyText
	case !utf8.ValidString(text):
		return errNotUTF8
	case strings.Contains(text, "\x00"):
		return errNUL
	}
	return nil
}
