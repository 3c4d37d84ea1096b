package commands

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/wire"
)

// A retrier says how often, and for how long, to try again what failed by
// itself and may succeed later.
type retrier struct {
	retries int           // in a row, without progress
	limit   time.Duration // for each thing, without progress
	always  bool          // also if the server was never reached
}

const (
	defaultRetries  = 8
	defaultRetryFor = time.Minute

	// Full jitter: a random time up to a bound that doubles, so that many
	// clients of a server that comes back do not come back together.
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 10 * time.Second
)

func retryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "retries", Value: defaultRetries, Usage: "try again at most `N` times in a row"},
		&cli.DurationFlag{Name: "retry-for", Value: defaultRetryFor, Usage: "try again for at most `TIME`"},
	}
}

func retrierOf(c *cli.Context) (retrier, error) {
	r := retrier{c.Int("retries"), c.Duration("retry-for"), c.IsSet("retries") || c.IsSet("retry-for")}
	if r.retries < 0 || r.limit < 0 {
		return r, usageError("--retries and --retry-for must not be negative")
	}
	return r, nil
}

// backoff is the pause before the n-th retry.
func backoff(n int) time.Duration {
	bound := maxBackoff
	if n < 10 {
		bound = min(bound, firstBackoff<<(n-1))
	}
	return rand.N(bound)
}

// passes reports whether what failed with err may succeed later.
func passes(err error, reached bool) bool {
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		return refused.Code.Retryable()
	}
	if _, ok := errors.AsType[*unreachable](err); ok {
		return reached
	}
	if e, ok := errors.AsType[*insecure](err); ok {
		return reached && e.passes()
	}
	_, ok := errors.AsType[*lost](err)
	return ok
}

// patience is what is left of it: it begins anew after every try that helped.
type patience struct {
	retrier
	since time.Time
	tries int
}

func (r retrier) patience() *patience { return &patience{retrier: r, since: time.Now()} }

// wait waits before another try after one of item failed with err, and tells of
// it, or reports that there is to be none.
func (p *patience) wait(ctx context.Context, con *console, item string, err error) (again bool, _ error) {
	p.tries++
	pause := backoff(p.tries)
	if p.tries > p.retries || time.Since(p.since)+pause > p.limit {
		return false, nil
	}
	con.note("%s: %s; retry %d of %d in %.1fs", printable(item), describe(err).message, p.tries, p.retries, pause.Seconds())
	select {
	case <-time.After(pause):
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
