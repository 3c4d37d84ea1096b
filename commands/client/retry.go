package client

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

// A Retrier says for how long, and how often, to try again what failed by
// itself and may succeed later.
type Retrier struct {
	Limit  time.Duration // in a row without progress
	Max    int           // likewise; applies only if capped
	Capped bool
	Always bool // also if the server was never reached
}

const (
	// DefaultRetryFor outlasts a reboot, and a server that drains.
	DefaultRetryFor = 5 * time.Minute

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

// Passes reports whether what failed with err may succeed later. reached is what
// Session.HasReached says.
func Passes(err error, reached bool) bool {
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return refused.Code.Retryable()
	}
	if e, ok := errors.AsType[*insecureError](err); ok {
		return reached && e.passes()
	}
	return reached && IsServerGone(err)
}

// IsServerGone reports whether there was no server, or no longer, rather than one
// that refused.
func IsServerGone(err error) bool {
	if _, ok := errors.AsType[*UnreachableError](err); ok {
		return true
	}
	_, ok := errors.AsType[*LostError](err)
	return ok
}

// A Patience is what remains of a retrier's limits, for all that is sent in a run:
// it is full again whenever something succeeds.
type Patience struct {
	Retrier
	since   time.Time // of the first failure in a row
	tries   int       // in a row
	nextSay time.Time // not before then
	silence time.Duration
}

func (r Retrier) Patience() *Patience { return &Patience{Retrier: r} }

// Helped notes that a try was of use.
func (p *Patience) Helped() { p.tries = 0 }

// Wait waits before another try after one of item failed with err, or reports that
// there is to be none. item, which may be "", is named where err is about it.
func (p *Patience) Wait(ctx context.Context, con *terminal.Console, item string, err error) (again bool, _ error) {
	now := time.Now()
	if p.tries == 0 {
		p.since = now
	}
	remaining := p.Limit - now.Sub(p.since)
	if remaining <= 0 || p.Capped && p.tries >= p.Max {
		return false, nil
	}
	p.tries++
	pause := min(backoff(p.tries), remaining)
	what := problem.Of(err).Message
	if item != "" && !IsServerGone(err) {
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
func (p *Patience) say(con *terminal.Console, now time.Time, what string, remaining time.Duration) {
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
	case p.Capped:
		con.Note("%s; trying again, up to %s within %s", what, terminal.NumberOf(p.Max, "time"), terminal.About(remaining))
	default:
		con.Note("%s; trying again for up to %s", what, terminal.About(remaining))
	}
}

// Spent is err once there is to be no other try. resumes says whether another run
// goes on where this one stopped.
func (p *Patience) Spent(err error, resumes bool) error {
	e := &gaveUpError{err: err, resumes: resumes}
	if p.tries > 0 {
		e.after = time.Since(p.since)
	}
	return e
}

// Tries send one thing that is not resumed, a text or a blob, over a session.
type Tries struct {
	*Session
	Con      *terminal.Console
	Thing    string // what it is called
	Patience *Patience

	// Unanswered means that the connection of a try was lost before the answer, so
	// that the server may have received it.
	Unanswered bool
	warned     bool
}

// Do calls send until that succeeds or there is to be no other try.
func (t *Tries) Do(ctx context.Context, send func() error) error {
	for {
		err := send()
		if err == nil {
			t.Patience.Helped()
			return nil
		}
		t.Unanswered = t.Unanswered || IsUnanswered(err)
		if ctx.Err() == nil && Passes(err, t.Patience.Always || t.HasReached()) {
			again, stopped := t.Patience.Wait(ctx, t.Con, "", err)
			if stopped != nil {
				return stopped
			}
			if again {
				if t.Unanswered && !t.warned {
					t.warned = true
					NoteSendingAgain(t.Con, 1, t.Thing)
				}
				continue
			}
			err = t.Patience.Spent(err, false)
		}
		if t.Unanswered {
			err = &UnansweredError{err}
		}
		return err
	}
}

// IsUnanswered reports whether the server may have received what failed with err.
func IsUnanswered(err error) bool {
	_, is := errors.AsType[*LostError](err)
	return is
}

// NoteSendingAgain tells that the server may get things twice.
func NoteSendingAgain(con *terminal.Console, n int, thing string) {
	what := "it"
	if n != 1 {
		what = "them"
	}
	con.Note("sending %s again; the server may have received %s already", terminal.NumberOf(n, thing), what)
}

// An UnansweredError is about what was sent, perhaps, and not answered.
type UnansweredError struct{ Err error }

func (e *UnansweredError) Error() string { return problem.Of(e.Err).Message }
func (e *UnansweredError) Unwrap() error { return e.Err }

func (e *UnansweredError) Describe() problem.Description {
	d := problem.Of(e.Err)
	d.Message += "; the server may have received it all the same"
	return d
}

// A gaveUpError is one that might have passed, but did not in time.
type gaveUpError struct {
	err     error
	after   time.Duration // 0 if it was not waited for
	resumes bool
}

func (e *gaveUpError) Error() string {
	text := problem.Of(e.err).Message
	if e.after > 0 {
		text += "; gave up after " + terminal.About(e.after)
	}
	return text
}

func (e *gaveUpError) Unwrap() error { return e.err }

func (e *gaveUpError) Describe() problem.Description {
	d := problem.Of(e.err)
	d.Message = e.Error()
	if e.resumes && (IsServerGone(e.err) || d.Hint == laterHint) {
		d.Hint = "run it again to continue"
	}
	return d
}
