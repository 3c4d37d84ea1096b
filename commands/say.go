package commands

import (
	"context"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/wire"
)

var (
	errNotUTF8 = newError("the message is not valid UTF-8", "bad-text", "convert it with iconv, or send it as a file with 'labnet upload -'")
	errNUL     = newError("the message holds a NUL byte", "bad-text", "send it as a file with 'labnet upload -'")
)

func sayCommand(con *console) *cli.Command {
	return &cli.Command{
		Name:        "say",
		Usage:       "send a message and print the answer",
		ArgsUsage:   "[TEXT… | -]",
		Description: "Without TEXT, standard input is the message, or on a terminal each line is one. With -, each line is one.",
		Flags:       clientFlags(),
		Action: stoppable(con, func(c *cli.Context) error {
			o, err := clientOptionsOf(c, con, wire.Lab3, wire.Lab4, wire.Lab5, wire.Lab6, wire.LabExtra)
			if err != nil {
				return err
			}
			s := &speaker{con, &session{clientOptions: o}}
			defer s.close()
			switch args := c.Args().Slice(); {
			case len(args) == 1 && args[0] == "-" && (con.interactive() || o.lab != 0):
				return s.converse(c.Context, "")
			case len(args) == 1 && args[0] == "-":
				return s.sayLines(c.Context)
			case len(args) > 0:
				return s.sayOne(c.Context, strings.Join(args, " "))
			case con.interactive():
				return s.converse(c.Context, "message: ")
			default:
				return s.sayInput(c.Context)
			}
		}),
	}
}

// A speaker says texts.
type speaker struct {
	con *console
	*session
}

// said is the outcome of one text.
func (s *speaker) said(text string) object {
	o := object{Op: "say", Addr: s.addr, Text: &text}
	if !utf8.ValidString(text) {
		o.TextBase64 = []byte(text)
	}
	return o
}

// sayInput says the whole standard input, without the end of its last line.
func (s *speaker) sayInput(ctx context.Context) error {
	input, err := io.ReadAll(io.LimitReader(s.con.textStream(s.con.in), wire.MaxString+utf8.UTFMax))
	if err != nil {
		return &itemError{"standard input", err}
	}
	return s.sayOne(ctx, strings.TrimSuffix(strings.TrimSuffix(string(input), "\n"), "\r"))
}

// sayOne is say for the only text of this run.
func (s *speaker) sayOne(ctx context.Context, text string) error {
	err := s.say(ctx, text)
	if err != nil && ctx.Err() == nil {
		s.con.failure(s.said(text), err)
	}
	return err
}

// converse says each line of standard input and prints the answer before it
// asks for the next. It goes on after a refusal, but not without a server.
func (s *speaker) converse(ctx context.Context, prompt string) error {
	lines := s.con.lines(nil)
	defer lines.stop()
	var t tally
	for {
		line, err := lines.next(ctx, prompt)
		if err != nil {
			return t.end(err, "messages not sent")
		}
		if err := t.count(ctx, s.con, s.said(line), s.say(ctx, line)); err != nil {
			return err
		}
	}
}

// say says one text and prints the answer.
func (s *speaker) say(ctx context.Context, text string) error {
	text, err := s.check(text)
	if err != nil {
		return err
	}
	done := s.said(text)
	var reply string
	if s.lab != 0 {
		err = s.labDo(ctx, func(c *wire.LabClient) (err error) {
			reply, err = c.Say(ctx, text)
			return err
		})
	} else {
		err = s.do(ctx, func(c *wire.Client) (err error) {
			reply, err = c.Say(ctx, text)
			return err
		})
	}
	if err != nil {
		return err
	}
	if s.lab != 0 && s.lab != wire.Lab3 {
		done.Unconfirmed = true
		s.con.result(done, "sent; task %s has no answer", s.lab)
	} else {
		done.Reply = &reply
		s.con.result(done, "%s", printableText(reply))
	}
	return nil
}

// check returns a text as it can be sent.
func (s *speaker) check(text string) (string, error) {
	if cut := wire.TruncateText(text, wire.MaxString); len(cut) < len(text) {
		s.con.tell("message cut to %d bytes: it holds at most %d", len(cut), wire.MaxString)
		text = cut
	}
	switch {
	case !utf8.ValidString(text):
		return "", errNotUTF8
	case strings.Contains(text, "\x00"):
		return "", errNUL
	}
	return text, nil
}
