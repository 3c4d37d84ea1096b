package commands

import (
	"bufio"
	"context"
	"errors"

	"github.com/labnet/labnet/wire"
)

// maxAsked is how many messages may wait for their answers.
const maxAsked = 1024

// An asked is a message on its way, or why it is not.
type asked struct {
	text     string
	question wire.Question
	err      error
}

// sayLines says each line of standard input, many of them ahead of the answers,
// which come in order. A line is sent as soon as no other follows it at once. It
// goes on after a refusal, but not without a server.
func (s *speaker) sayLines(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sent := make(chan asked, maxAsked)
	told := make(chan error, 1)
	go func() {
		told <- s.tellAnswers(ctx, sent, cancel)
	}()
	lines := readLines(ctx, s.con)
	for line, more := s.nextLine(ctx, lines); more; line, more = s.nextLine(ctx, lines) {
		a := s.ask(ctx, line)
		select {
		case sent <- a:
		default:
			s.flush(ctx)
			sent <- a
		}
	}
	close(sent)
	return <-told
}

// nextLine returns the next line, or false when the input or ctx ends. What was
// gathered is sent before anything is waited for.
func (s *speaker) nextLine(ctx context.Context, lines <-chan string) (string, bool) {
	select {
	case line, more := <-lines:
		if !more {
			s.flush(ctx)
		}
		return line, more
	default:
	}
	s.flush(ctx)
	select {
	case line, more := <-lines:
		return line, more
	case <-ctx.Done():
		return "", false
	}
}

// flush sends what was gathered. A failure shows again at the answers.
func (s *speaker) flush(ctx context.Context) {
	if s.client != nil {
		s.client.Flush(ctx)
	}
}

// ask sends a message and does not wait.
func (s *speaker) ask(ctx context.Context, line string) asked {
	text, err := s.check(line)
	if err != nil {
		return asked{text: line, err: err}
	}
	client, err := s.connect(ctx)
	if err != nil {
		return asked{text: text, err: err}
	}
	question, err := client.Ask(ctx, text)
	return asked{text, question, s.classify(ctx, err)}
}

// tellAnswers prints the answers, and sums up what became of the messages. If
// there is no server it calls giveUp: there is no use in further lines.
func (s *speaker) tellAnswers(ctx context.Context, sent <-chan asked, giveUp context.CancelCauseFunc) error {
	var t tally
	var stop error
	var told string // of a connection that was lost with many messages
	for a := range sent {
		if stop != nil {
			continue // so that nobody waits for it
		}
		err := a.err
		if err == nil {
			var reply string
			reply, err = a.question.Answer(ctx)
			if err = s.classify(ctx, err); err == nil {
				done := s.said(a.text)
				done.Reply = &reply
				s.con.result(done, "%s", printableText(reply))
			}
		}
		if _, gone := errors.AsType[*lost](err); gone && err.Error() == told {
			t.all++
			t.failed++
			s.con.failure(s.said(a.text), err)
			continue
		} else if gone {
			told = err.Error()
		}
		if stop = t.count(ctx, s.con, s.said(a.text), err); stop != nil {
			giveUp(stop)
		}
	}
	if stop != nil {
		return stop
	}
	return t.err("messages not sent")
}

// readLines reads standard input by lines until it or ctx ends. A read that
// waits then is left behind.
func readLines(ctx context.Context, con *console) <-chan string {
	lines := make(chan string, maxAsked)
	r := bufio.NewReaderSize(con.textStream(con.in), maxLine)
	go func() {
		defer close(lines)
		for {
			line, err := readLine(r)
			if err != nil || ctx.Err() != nil { // which may have cut the line off
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}
