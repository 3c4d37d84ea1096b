package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/address"
	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/interrupt"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// pingOptions are the flags of ping.
type pingOptions struct {
	client.Options
	count    int // 0: one for each line of standard input
	interval time.Duration
}

func pingCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:        "ping",
		Usage:       "ask whether a server answers",
		ArgsUsage:   "[SERVER]",
		Description: "SERVER can be given instead of --addr. Without -c, each line of standard input (Enter) sends a ping.",
		Flags: clientFlags(
			&cli.IntFlag{Name: "count", Aliases: []string{"c"}, Usage: "stop after `N` pings"},
			&cli.DurationFlag{Name: "interval", Aliases: []string{"i"}, Value: time.Second, Usage: "wait `TIME` between pings"},
		),
		Action: finishing(func(c *cli.Context) error {
			o := pingOptions{count: c.Int("count"), interval: c.Duration("interval")}
			server, what := c.String("addr"), "--addr"
			switch {
			case c.Args().Len() > 1:
				return secondServer(c.Args().Slice())
			case c.Args().Present() && isGiven(c, "addr"):
				return problem.Usage("ping takes one server, but --addr %s and %q were given", escape.Name(server), c.Args().First())
			case c.Args().Present():
				server, what = c.Args().First(), "server"
			}
			var err error
			o.Options, err = clientOptionsFor(c, con, server, what, wire.Lab1, wire.Lab2)
			switch {
			case err != nil:
				return err
			case c.IsSet("count") && o.count <= 0:
				return problem.Usage("--count must be more than zero")
			case o.interval < 0:
				return problem.Usage("--interval must not be negative")
			}
			return ping(c.Context, con, o)
		}),
	}
}

// secondServer is the error about several servers to ping.
func secondServer(args []string) error {
	bad := &problem.UsageError{Err: fmt.Errorf("ping takes one server, but %q and %q were given", args[0], args[1])}
	if len(args) == 2 && address.IsNumber(args[1]) {
		if host, _, err := address.Split(args[0], ""); err == nil { // as for nc
			bad.Hint = problem.DidYouMean(net.JoinHostPort(host, args[1]))
		}
	}
	return bad
}

// ping sends pings until the count is reached, the input ends or ctx ends, and
// sums them up.
func ping(ctx context.Context, con *terminal.Console, o pingOptions) error {
	var times []float64 // of replies, in ms
	var lastErr, stop error
	sent := 0
	once := func() {
		sent++
		took, err := pingOnce(ctx, o.Options)
		if ctx.Err() != nil {
			sent--
			return
		}
		p := terminal.Object{Op: "ping", Addr: o.Addr, Seq: sent}
		if err != nil {
			lastErr = err
			con.Failure(p, err)
			con.Fail(err)
			return
		}
		times = append(times, took)
		p.Seconds = new(inSeconds(took))
		con.Result(p, "reply from %s: seq=%d time=%.2f ms", o.Addr, sent, took)
	}
	if o.count > 0 {
		for i := 0; i < o.count && sleep(ctx, i, o.interval); i++ {
			once()
		}
	} else {
		con.Prompt("press Enter to ping " + o.Addr + ", Ctrl-D to end\n")
		lines := con.Lines(nil)
		defer lines.Stop()
		for stop == nil {
			if _, stop = lines.Next(ctx, ""); stop == nil {
				once()
			}
		}
	}
	interrupted, is := errors.AsType[interrupt.Error](cmp.Or(context.Cause(ctx), stop))
	if is {
		con.Prompt("\n") // after the ^C
	}
	summarize(con, sent, times)
	switch {
	case is:
		return interrupted
	case lastErr == nil:
		return nil
	}
	code := problem.ExitFailed
	if len(times) == 0 {
		code = problem.Of(lastErr).Code
	}
	if sent == 1 {
		return problem.Undone("", code) // all is said
	}
	return problem.Undone(fmt.Sprintf("%d of %d pings failed", sent-len(times), sent), code)
}

// sleep waits before the i-th of several things, but not before the first. It
// reports false if ctx ended.
func sleep(ctx context.Context, i int, d time.Duration) bool {
	if i == 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// pingOnce returns how long a ping took, in ms, from the first packet to the
// server program's answer.
func pingOnce(ctx context.Context, o client.Options) (float64, error) {
	start := time.Now()
	conn, err := o.Dial(ctx)
	if err != nil {
		return 0, err
	}
	err = wire.PingAs(ctx, conn, o.Token, o.Timeout)
	return float64(time.Since(start).Microseconds()) / 1000, o.Classify(ctx, err)
}

// summarize prints what all pings make together, of which times are the
// replies, in ms.
func summarize(con *terminal.Console, sent int, times []float64) {
	n := len(times)
	if sent == 0 {
		return
	}
	s := &terminal.PingSummary{Loss: float64(sent-n) / float64(sent)}
	con.Pinged(s)
	text := fmt.Sprintf("%d sent, %s, %s%% lost", sent, terminal.Counted(n, "reply", "replies"), percent(s.Loss))
	if n > 0 {
		slices.Sort(times)
		// The 99th percentile is the least time that 99% of the replies need at most.
		least, median, p99, most := times[0], (times[(n-1)/2]+times[n/2])/2, times[(99*n+99)/100-1], times[n-1]
		text += fmt.Sprintf("; min/median/p99/max %.2f/%.2f/%.2f/%.2f ms", least, median, p99, most)
		s.ReplyTimes = &terminal.ReplyTimes{Min: inSeconds(least), Median: inSeconds(median), P99: inSeconds(p99), Max: inSeconds(most)}
	}
	if n >= minHistogram {
		text += fmt.Sprintf("\n%.2f ms %s %.2f ms", times[0], histogram(times), times[n-1])
	}
	con.Say("%s", text)
}

// inSeconds converts from ms.
func inSeconds(ms float64) float64 { return terminal.Seconds(time.Duration(ms * 1e6)) }

// percent writes a part of one in percent, as 0 or 100 only if it is nothing or
// all.
func percent(part float64) string {
	p := math.Round(100*100*part) / 100
	if part > 0 && part < 1 {
		p = min(max(p, 0.01), 99.99)
	}
	return strconv.FormatFloat(p, 'f', -1, 64)
}

const (
	// minHistogram is from how many replies on there is a histogram,
	minHistogram = 20
	// histogramBars the number of its bars.
	histogramBars = 32
)

// histogram draws how often there were times from the least, on the left, to
// the greatest. Times are sorted. From one bar to the next they grow by the same
// factor, so that a few that are very late leave room for the others to differ.
// Where there was but one time, there is a bar; where none, a space.
func histogram(times []float64) string {
	least := max(times[0], 1e-3) // the clock tells no less
	span := math.Log(times[len(times)-1] / least)
	var counts [histogramBars]int
	for _, t := range times {
		i := 0
		if span > 0 {
			i = min(int(histogramBars*math.Log(max(t, least)/least)/span), histogramBars-1)
		}
		counts[i]++
	}
	levels := []rune("▁▂▃▄▅▆▇█")
	most := slices.Max(counts[:])
	bars := make([]rune, histogramBars)
	for i, n := range counts {
		if bars[i] = ' '; n > 0 {
			bars[i] = levels[(n*len(levels)-1)/most]
		}
	}
	return string(bars)
}
