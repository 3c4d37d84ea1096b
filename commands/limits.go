package commands

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/systemd"
	"github.com/labnet/labnet/wire"
)

// limitFlags are the flags of serve that say how much clients can take of it.
func limitFlags() []cli.Flag {
	const category = "Limits"
	number := func(name string, standard int, usage string) cli.Flag {
		return &cli.IntFlag{Name: name, Value: standard, Usage: usage, Category: category}
	}
	span := func(name string, standard time.Duration, usage string) cli.Flag {
		return &cli.DurationFlag{Name: name, Value: standard, Usage: usage, Category: category}
	}
	size := func(name, standard, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Value: standard, Usage: usage, Category: category}
	}
	return []cli.Flag{
		number("max-conns", wire.DefaultMaxConns, "hold at most `N` connections; by default fewer where the system allows few open files"),
		number("max-conns-per-ip", wire.DefaultMaxConnsPerIP, "hold at most `N` connections from one IP address, or one /64 of IPv6"),
		&cli.IntFlag{Name: "max-conns-per-user", DefaultText: "a quarter of --max-conns", Usage: "hold at most `N` connections of one user, with --tokens", Category: category},
		number("max-unauthenticated", wire.DefaultMaxUnauthenticated, "hold at most `N` connections that have not finished TLS and shown a token"),
		number("max-uploads", wire.DefaultMaxUploads, "let at most `N` connections of one user (without --tokens: from one IP address) send files at once"),
		size("max-message", "4096", "refuse messages over `SIZE`"),
		size("max-size", "1TiB", "refuse files over `SIZE`"),
		size("min-rate", "1KiB", "close connections that send less than `SIZE` a second for a minute"),
		span("auth-timeout", wire.DefaultAuthTimeout, "close connections that take longer than `TIME` to finish TLS and show a token"),
		span("header-timeout", wire.DefaultHeaderTimeout, "close connections whose message, apart from its contents, takes longer than `TIME`"),
		span("idle-timeout", wire.DefaultIdleTimeout, "close connections on which nothing arrives for `TIME`"),
		span("progress-timeout", wire.DefaultProgressTimeout, "close connections on which contents stand still for `TIME`"),
	}
}

// limitsOf reads them. None may be zero, which could be taken for none at all.
func limitsOf(c *cli.Context) (l wire.Limits, err error) {
	for _, n := range []struct {
		flag  string
		limit *int
	}{
		{"max-conns", &l.MaxConns},
		{"max-conns-per-ip", &l.MaxConnsPerIP},
		{"max-unauthenticated", &l.MaxUnauthenticated},
		{"max-uploads", &l.MaxUploads},
	} {
		if *n.limit = c.Int(n.flag); *n.limit <= 0 {
			return l, problem.Usage("--%s must be more than zero", n.flag)
		}
	}
	if l.MaxConnsPerUser = c.Int("max-conns-per-user"); l.MaxConnsPerUser < 0 || l.MaxConnsPerUser == 0 && c.IsSet("max-conns-per-user") {
		return l, problem.Usage("--max-conns-per-user must be more than zero")
	}
	for _, t := range []struct {
		flag  string
		limit *time.Duration
	}{
		{"auth-timeout", &l.AuthTimeout},
		{"header-timeout", &l.HeaderTimeout},
		{"idle-timeout", &l.IdleTimeout},
		{"progress-timeout", &l.ProgressTimeout},
	} {
		if *t.limit = c.Duration(t.flag); *t.limit <= 0 {
			return l, problem.Usage("--%s must be more than zero", t.flag)
		}
	}
	if l.MaxSize, err = sizeOf(c, "max-size"); err != nil {
		return l, err
	}
	if l.MinRate, err = sizeOf(c, "min-rate"); err != nil {
		return l, err
	}
	message, err := sizeOf(c, "max-message")
	if err != nil {
		return l, err
	}
	if message > wire.MaxString {
		return l, problem.Usage("--max-message must be at most %d", wire.MaxString)
	}
	l.MaxMessage = int(message)
	files := openFiles()
	if c.String("status") != "" || systemd.IsPassed(statusSocket) {
		files -= 2 * statusConns // and those that are told that there is no room
	}
	return l, shareFiles(&l, files, c.IsSet("max-conns"))
}

// Descriptors that a server needs. A connection has one for itself and one for
// a file, and each call of the store may open callFiles more for a moment:
// folders, and files of the same name to compare with.
const (
	ownFiles  = 96 // the store, logs, listeners, commands that are run, and connections that are told that there is no room
	connFiles = 2
	callFiles = 3
	minCalls  = 4
	minShared = 4
)

// shareFiles sets the limits by how many files this process may open: a file
// that was accepted must not lack its descriptor. It lowers MaxConns, unless that
// was asked for.
func shareFiles(l *wire.Limits, files int, asked bool) error {
	if asked {
		if need := ownFiles + connFiles*l.MaxConns + callFiles*minCalls + minShared; need > files {
			return problem.UsageHint(fmt.Errorf("--max-conns %d needs %d open files, and the system allows %d", l.MaxConns, need, files),
				"raise that with 'ulimit -n' or LimitNOFILE=, or ask for fewer")

		}
		files -= ownFiles + connFiles*l.MaxConns
		l.MaxCalls = min(max(files/2/callFiles, minCalls), wire.DefaultMaxCalls)
		l.MaxOpen = min(max(files-callFiles*l.MaxCalls, minShared), wire.DefaultMaxOpen)
		return nil
	}
	left := files - ownFiles
	l.MaxCalls = min(max(left/8/callFiles, minCalls), wire.DefaultMaxCalls)
	l.MaxOpen = min(max(left/8, minShared), wire.DefaultMaxOpen)
	left -= callFiles*l.MaxCalls + l.MaxOpen
	if l.MaxConns = min(left/connFiles, l.MaxConns); l.MaxConns < 1 {
		return problem.UsageHint(fmt.Errorf("the system allows this process only %d open files", files), "raise that with 'ulimit -n' or LimitNOFILE=")
	}
	return nil
}
