package commands

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// A retrier says for how long, and how often, to try again what failed by
// itself and may succeed later.
type retrier struct {
	limit  time.Duration // in a row without progress
	max    int           // likewise; applies only if capped
	capped bool
	always bool // also if the server was never reached
}

const (
	// defaultRetryFor outlasts a reboot, and a server that drains.
	defaultRetryFor = 5 * time.Minute

	// Full jitter: a random time up to a bound that doubles, so that many
	// clients of a server that comes back do not come back together.
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 10 * time.Second

	// firstSilence is the time after the first note on retries until the next.
	// It doubles with each: an outage of hours fills no log.
	firstSilence = time.Minute
)

// backoff is the pause before the n-th retry.
func backoff(n int) time.Duration {
	bound := maxBackoff
	if n < 10 {
		bound = min(bound, firstBackoff<<(n-1))
	}
	return rand.N(bound)
}

// passes reports whether what failed with err may succeed later. reached is what
// session.hasReached says.
func passes(err error, reached bool) bool {
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return refused.Code.Retryable()
	}
	if e, ok := errors.AsType[*insecure](err); ok {
		return reached && e.passes()
	}
	return reached && isServerGone(err)
}

// isServerGone reports whether there was no server, or no longer, rather than one
// that refused.
func isServerGone(err error) bool {
	if _, ok := errors.AsType[*unreachable](err); ok {
		return true
	}
	_, ok := errors.AsType[*lost](err)
	return ok
}

// A patience is what remains of a retrier's limits, for all that is sent in a run:
// it is full again whenever something succeeds.
type patience struct {
	retrier
	since   time.Time // of the first failure in a row
	tries   int       // in a row
	nextSay time.Time // not before then
	silence time.Duration
}

func (r retrier) patience() *patience { return &patience{retrier: r} }

// helped notes that a try was of use.
func (p *patience) helped() { p.tries = 0 }

// wait waits before another try after one of item failed with err, or reports that
// there is to be none. item, which may be "", is named where err is about it.
func (p *patience) wait(ctx context.Context, con *terminal.Console, item string, err error) (again bool, _ error) {
	now := time.Now()
	if p.tries == 0 {
		p.since = now
	}
	remaining := p.limit - now.Sub(p.since)
	if remaining <= 0 || p.capped && p.tries >= p.max {
		return false, nil
	}
	p.tries++
	pause := min(backoff(p.tries), remaining)
	what := problem.Of(err).Message
	if item != "" && !isServerGone(err) {
		what = escape.Name(item) + ": " + what
	}
	p.say(con, now, what, remaining)
	con.Meter.Wait(what, now.Add(pause), now.Add(remaining))
	select {
	case <-time.After(pause):
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// say tells of a retry, unless others were told of a short time ago.
func (p *patience) say(con *terminal.Console, now time.Time, what string, remaining time.Duration) {
	if p.tries == 1 {
		p.silence = firstSilence
	}
	if now.Before(p.nextSay) {
		return
	}
	p.nextSay = now.Add(p.silence)
	p.silence *= 2
	switch {
	case p.tries > 1:
		if remaining > 90*time.Second {
			remaining = remaining.Round(time.Minute)
		}
		con.Note("%s; still trying, for up to %s more", what, terminal.About(remaining))
	case p.capped:
		con.Note("%s; trying again, up to %s within %s", what, terminal.NumberOf(p.max, "time"), terminal.About(remaining))
	default:
		con.Note("%s; trying again for up to %s", what, terminal.About(remaining))
	}
}

// spent is err once there is to be no other try. resumes says whether another run
// goes on where this one stopped.
func (p *patience) spent(err error, resumes bool) error {
	e := &gaveUp{err: err, resumes: resumes}
	if p.tries > 0 {
		e.after = time.Since(p.since)
	}
	return e
}

// tries send one thing that is not resumed, a text or a blob, over a session.
type tries struct {
	*session
	con      *terminal.Console
	thing    string // what it is called
	patience *patience

	// unanswered means that the connection of a try was lost before the answer, so
	// that the server may have received it.
	unanswered bool
	warned     bool
}

// do calls send until that succeeds or there is to be no other try.
func (t *tries) do(ctx context.Context, send func() error) error {
	for {
		err := send()
		if err == nil {
			t.patience.helped()
			return nil
		}
		t.unanswered = t.unanswered || isUnanswered(err)
		if ctx.Err() == nil && passes(err, t.patience.always || t.hasReached()) {
			again, stopped := t.patience.wait(ctx, t.con, "", err)
			if stopped != nil {
				return stopped
			}
			if again {
				if t.unanswered && !t.warned {
					t.warned = true
					sendingAgain(t.con, 1, t.thing)
				}
				continue
			}
			err = t.patience.spent(err, false)
		}
		if t.unanswered {
			err = &unanswered{err}
		}
		return err
	}
}

// isUnanswered reports whether the server may have received what failed with err.
func isUnanswered(err error) bool {
	_, is := errors.AsType[*lost](err)
	return is
}

// sendingAgain tells that the server may get things twice.
func sendingAgain(con *terminal.Console, n int, thing string) {
	what := "it"
	if n != 1 {
		what = "them"
	}
	con.Note("sending %s again; the server may have received %s already", terminal.NumberOf(n, thing), what)
}

// An unanswered error is about what was sent, perhaps, and not answered.
type unanswered struct{ err error }

func (e *unanswered) Error() string { return problem.Of(e.err).Message }
func (e *unanswered) Unwrap() error { return e.err }

func (e *unanswered) Describe() problem.Description {
	d := problem.Of(e.err)
	d.Message += "; the server may have received it all the same"
	return d
}

// A gaveUp error might have passed, but did not in time.
type gaveUp struct {
	err     error
	after   time.Duration // 0 if it was not waited for
	resumes bool
}

func (e *gaveUp) Error() string {
	text := problem.Of(e.err).Message
	if e.after > 0 {
		text += "; gave up after " + terminal.About(e.after)
	}
	return text
}

func (e *gaveUp) Unwrap() error { return e.err }

func (e *gaveUp) Describe() problem.Description {
	d := problem.Of(e.err)
	d.Message = e.Error()
	if e.resumes && (isServerGone(e.err) || d.Hint == laterHint) {
		d.Hint = "run it again to continue"
	}
	return d
}
