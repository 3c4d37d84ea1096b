package commands

import (
	"bufio"
	"cmp"
	"context"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// maxAsked is how many messages may wait for their answers.
const maxAsked = 1024

// A message is a line to be said.
type message struct {
	text       string
	question   wire.Question
	err        error // why it cannot be sent
	failure    error // of the last try, after which it may go again
	unanswered bool  // in a try; see tries
	warned     bool  // that the server may receive it twice
}

// A lineSender says the lines of standard input over one connection after the
// other. On each, many are sent ahead of the answers, which come in order. A line is
// sent as soon as no other follows it at once.
type lineSender struct {
	*speaker
	lines <-chan string
	again []*message // that go before further lines, since a try failed
	tally terminal.Tally

	// Of one try.
	client *wire.Client
	sent   chan *message
	down   chan struct{} // closed by the goroutine that prints answers, once no line is to follow

	// Set by that goroutine.
	ending   bool // down is closed
	progress bool
	failed   []*message // that may succeed on another try
	err      error      // why no other message can be sent either
}

// sayLines says each line of standard input. It goes on after a refusal, and on
// another connection, but not without a server.
func (s *speaker) sayLines(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &lineSender{speaker: s, lines: readLines(ctx, s.con)}
	return l.sendAll(ctx)
}

func (l *lineSender) sendAll(ctx context.Context) error {
	patience := l.Patience()
	for {
		more, err := l.try(ctx)
		if err != nil {
			return err
		}
		if !more && len(l.again) == 0 {
			return l.tally.Err("messages not sent")
		}
		if l.progress {
			patience.Helped()
		}
		if len(l.failed) == 0 {
			continue // the connection ended while nothing was under way
		}
		again, err := patience.Wait(ctx, l.con, "", l.failed[0].failure)
		if err == nil && !again {
			err = l.giveUp(ctx, patience)
		}
		if err != nil {
			return err
		}
	}
}

// try says messages over one connection until it is lost, one of them is to be tried
// again, or none is left, and reports whether there may be more lines.
func (l *lineSender) try(ctx context.Context) (more bool, err error) {
	l.client, l.ending, l.progress, l.failed, l.err = nil, false, false, nil, nil
	l.sent, l.down = make(chan *message, maxAsked), make(chan struct{})
	told := make(chan struct{})
	go func() {
		defer close(told)
		for m := range l.sent {
			l.tell(ctx, m)
		}
	}()
	more = true
	var unsent *message
	for more && !l.isDown() {
		var m *message
		if m, more = l.next(ctx); m == nil {
			break
		}
		if !l.ask(ctx, m) {
			unsent = m
			break
		}
		select {
		case l.sent <- m:
		default:
			l.flush(ctx)
			l.sent <- m
		}
	}
	l.flush(ctx)
	close(l.sent)
	<-told
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	switch {
	case unsent == nil:
	case l.client == nil || len(l.failed) == 0 && !l.progress:
		l.tell(ctx, unsent)
	default: // others were lost with the connection, or it had been idle
		unsent.failure = nil
		l.again = append([]*message{unsent}, l.again...)
	}
	l.again = append(l.failed, l.again...)
	return more, l.err
}

func (l *lineSender) isDown() bool {
	select {
	case <-l.down:
		return true
	default:
		return false
	}
}

// next returns the next message. If there is none now, more says whether there may be
// some on another connection. What was gathered is sent before anything is waited for.
func (l *lineSender) next(ctx context.Context) (m *message, more bool) {
	if len(l.again) > 0 {
		m := l.again[0]
		l.again = l.again[1:]
		return m, true
	}
	select {
	case line, more := <-l.lines:
		return messageOf(line, more)
	default:
	}
	l.flush(ctx)
	select {
	case line, more := <-l.lines:
		return messageOf(line, more)
	case <-l.down:
		return nil, true
	case <-ctx.Done():
		return nil, false
	}
}

func messageOf(line string, more bool) (*message, bool) {
	if !more {
		return nil, false
	}
	return &message{text: line, err: checkText(line)}, true
}

// flush sends what was gathered. A failure shows again at the answers.
func (l *lineSender) flush(ctx context.Context) {
	if l.client != nil {
		l.client.Flush(ctx)
	}
}

// ask sends a message and does not wait. It returns false if nothing of it was sent,
// because this try has no connection, or none any more.
func (l *lineSender) ask(ctx context.Context, m *message) bool {
	m.failure = nil
	if m.err != nil {
		return true
	}
	if l.client == nil {
		if l.client, m.failure = l.Connect(ctx); m.failure != nil {
			return false
		}
		l.warn(m)
	}
	if err := l.client.Err(); err != nil {
		m.failure = l.Classify(ctx, err)
		return false
	}
	var err error
	if m.question, err = l.client.Ask(ctx, m.text); err != nil {
		m.failure = l.Classify(ctx, err)
		m.unanswered = m.unanswered || client.IsUnanswered(m.failure)
	}
	return true
}

// warn tells that the server may receive messages twice which are sent again: first,
// and others behind it.
func (l *lineSender) warn(first *message) {
	n := 0
	for _, m := range append([]*message{first}, l.again...) {
		if m.unanswered && !m.warned {
			m.warned = true
			n++
		}
	}
	if n > 0 {
		client.NoteSendingAgain(l.con, n, "message")
	}
}

// tell waits for the answer to a message and prints it, or why there is none.
func (l *lineSender) tell(ctx context.Context, m *message) {
	err := cmp.Or(m.err, m.failure)
	if err == nil {
		var reply string
		reply, err = m.question.Answer(ctx)
		if err = l.Classify(ctx, err); err == nil {
			l.progress = true
			done := l.outcome(m)
			done.Reply = &reply
			l.con.Result(done, "%s", escape.Text(reply))
			l.tally.Count(ctx, l.con, done, nil)
			return
		}
		m.unanswered = m.unanswered || client.IsUnanswered(err)
	}
	switch {
	case ctx.Err() != nil:
	case m.err == nil && client.Passes(err, l.Always || l.HasReached()):
		m.failure = err
		l.failed = append(l.failed, m)
		l.end()
	case l.err != nil: // it is lost with others
		l.con.Failure(l.outcome(m), err)
	case client.IsServerGone(err):
		l.con.Failure(l.outcome(m), err)
		l.err = err
		l.end()
	default:
		if l.err = l.tally.Count(ctx, l.con, l.outcome(m), err); l.err != nil {
			l.end()
		}
	}
}

func (l *lineSender) end() {
	if !l.ending {
		l.ending = true
		close(l.down)
	}
}

// outcome is what is printed of a message.
func (l *lineSender) outcome(m *message) terminal.Object {
	o := l.said(m.text)
	o.AnswerLost = m.unanswered
	return o
}

// giveUp gives up the messages that the server refused: each has been tried as often.
// Without a server it gives up all, and returns why.
func (l *lineSender) giveUp(ctx context.Context, patience *client.Patience) error {
	first := l.again[0].failure
	if client.IsServerGone(first) {
		var lost error
		for _, m := range l.again {
			err := patience.Spent(cmp.Or(m.failure, first), false)
			if m.unanswered {
				err = &client.UnansweredError{Err: err}
			}
			l.con.Failure(l.outcome(m), err)
			lost = cmp.Or(lost, err)
		}
		return lost
	}
	for len(l.again) > 0 && l.again[0].failure != nil && !client.IsServerGone(l.again[0].failure) {
		m := l.again[0]
		l.again = l.again[1:]
		if err := l.tally.Count(ctx, l.con, l.outcome(m), patience.Spent(m.failure, false)); err != nil {
			return err
		}
	}
	return nil
}

// readLines reads standard input by lines until it or ctx ends. A read that
// waits then is left behind.
func readLines(ctx context.Context, con *terminal.Console) <-chan string {
	lines := make(chan string, maxAsked)
	r := bufio.NewReaderSize(con.Interrupts.TextStream(con.In), terminal.MaxLine)
	go func() {
		defer close(lines)
		for {
			line, err := terminal.ReadLine(r)
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
