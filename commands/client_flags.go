package commands

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/address"
	"github.com/labnet/labnet/commands/bandwidth"
	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/invite"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/secret"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// clientFlags returns the flags of all clients, and those of one.
func clientFlags(own ...cli.Flag) []cli.Flag {
	own = append(own, clientTLSFlags()...)
	own = append(own, clientTokenFlags()...)
	return append(own,
		&cli.StringFlag{Name: "addr", Aliases: []string{"a"}, Value: "127.0.0.1:9000", EnvVars: []string{"LABNET_ADDR"}, Usage: "server's `HOST:PORT`, or the name of one that you have joined; without it, the one joined first, if any"},
		&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, EnvVars: []string{"LABNET_TIMEOUT"}, Usage: "give up after `TIME` without progress"},
		&cli.StringFlag{Name: "lab", Usage: "speak `TASK` of the course: 1 to 6 or extra"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print errors only"},
		&cli.BoolFlag{Name: "json", Usage: "print results as JSON, one object per line"},
	)
}

// clientOptionsOf reads the flags that all clients have, and sets con by them.
// The tasks of the course that the command belongs to are given.
func clientOptionsOf(c *cli.Context, con *terminal.Console, tasks ...wire.Lab) (client.Options, error) {
	return clientOptionsFor(c, con, c.String("addr"), "--addr", tasks...)
}

// clientOptionsFor is clientOptionsOf for a server that the user names in what.
func clientOptionsFor(c *cli.Context, con *terminal.Console, server, what string, tasks ...wire.Lab) (client.Options, error) {
	o := client.Options{Timeout: c.Duration("timeout")}
	con.JSON, con.Quiet = c.Bool("json"), c.Bool("quiet")
	if o.Timeout <= 0 {
		return o, problem.Usage("--timeout must be more than zero")
	}
	joined, err := joinedServer(c, server, what)
	if err != nil {
		return o, err
	}
	var host string
	if joined != nil {
		if o, err = optionsFor(joined, o); err != nil {
			return o, err
		}
		host, _, _ = net.SplitHostPort(o.Addr)
	} else if o.Addr, host, err = address.Server(server, what); err != nil {
		return o, err
	}
	if given, err := clientTLSOf(c, host); err != nil {
		return o, err
	} else if joined == nil || c.String("pin") != "" {
		o.TLS = given
	}
	if given, err := clientTokenOf(c, o.TLS != nil); err != nil {
		return o, err
	} else if given != "" {
		o.Token = given
	}
	if !c.IsSet("lab") {
		if flagNamed(c.Command.Flags, "size-bytes") != nil {
			_, _, err = schemeOf(c) // which goes with --lab
		}
		return o, err
	}
	task, err := parseLab(c)
	if err != nil {
		return o, err
	}
	var words []string
	for _, t := range tasks {
		if task == t {
			o.Lab = task
			if flagNamed(c.Command.Flags, "size-bytes") != nil {
				o.Scheme, _, err = schemeOf(c)
			}
			return o, err
		}
		words = append(words, t.String())
	}
	return o, problem.Usage("--lab: task %s of the course has no %s; choose %s", task, c.Command.Name, oneOf(words))
}

// joinedServer returns the server that a user has joined and means: the one that is named,
// or the default one if none is; nil if it is none of those. The course's tasks have
// neither TLS nor tokens, and nothing is known of their servers.
func joinedServer(c *cli.Context, server, what string) (*invite.Server, error) {
	unnamed := what == "--addr" && !c.IsSet("addr")
	if c.IsSet("lab") || !unnamed && !invite.IsServerName(server) {
		return nil, nil
	}
	servers, err := invite.Servers()
	switch {
	case err != nil || len(servers) == 0:
		return nil, err
	case unnamed:
		return &servers[0], nil
	}
	return invite.Find(servers, server), nil
}

// optionsFor sets what a client needs to reach a server that its user has joined.
func optionsFor(s *invite.Server, o client.Options) (client.Options, error) {
	o.Addr, o.Others, o.Token = s.Addrs[0], s.Addrs[1:], s.Token
	host, _, err := net.SplitHostPort(o.Addr)
	if err == nil {
		o.TLS, err = client.TLSConfig(host, s.Fingerprint)
	}
	return o, err
}

func parseLab(c *cli.Context) (wire.Lab, error) {
	task, err := wire.ParseLab(c.String("lab"))
	if err != nil {
		return 0, problem.Usage("--lab: %w", err)
	}
	return task, nil
}

func retryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "retry-for", Value: client.DefaultRetryFor, Usage: "retry for at most `TIME` without progress"},
		&cli.IntFlag{Name: "retries", DefaultText: "no limit", Usage: "retry at most `N` times in a row"},
	}
}

func retrierOf(c *cli.Context) (client.Retrier, error) {
	capped := c.IsSet("retries")
	r := client.Retrier{Limit: c.Duration("retry-for"), Max: c.Int("retries"), Capped: capped, Always: capped || c.IsSet("retry-for")}
	switch {
	case c.Duration("retry-for") < 0:
		return r, problem.Usage("--retry-for must not be negative")
	case c.Int("retries") < 0:
		return r, problem.Usage("--retries must not be negative")
	}
	return r, nil
}

func limitRateFlag(do string) cli.Flag {
	return &cli.StringFlag{Name: "limit-rate", DefaultText: "no limit", Usage: do + " at most `RATE` bytes per second, such as 500K or 2M"}
}

// bandwidthOf reads the flag; nil is no limit.
func bandwidthOf(c *cli.Context) (*bandwidth.Limit, error) {
	if !c.IsSet("limit-rate") {
		return nil, nil
	}
	rate, err := sizeOf(c, "limit-rate")
	return &bandwidth.Limit{Rate: rate}, err
}

func clientTLSFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "tls", EnvVars: []string{"LABNET_TLS"}, Usage: "encrypt, and accept certificates that this system trusts"},
		&cli.StringFlag{Name: "pin", EnvVars: []string{"LABNET_PIN"}, Usage: "encrypt, and accept only the key with this `FINGERPRINT`"},
	}
}

// clientTLSOf returns how a client of the server host encrypts, or nil if it
// does not.
func clientTLSOf(c *cli.Context, host string) (*tls.Config, error) {
	pin := c.String("pin")
	if pin == "" && !c.Bool("tls") {
		return nil, nil
	}
	if c.IsSet("lab") {
		return nil, problem.Usage("the course's tasks have no TLS: --lab cannot be used with --tls or --pin")
	}
	config, err := client.TLSConfig(host, pin)
	if err != nil {
		return nil, problem.UsageHint(fmt.Errorf("--pin: %w", err), "the server logs its fingerprint when it starts")
	}
	return config, nil
}

func clientTokenFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "token-file", EnvVars: []string{"LABNET_TOKEN_FILE"}, Usage: "show the server the token in `FILE`, or that in $" + client.TokenEnv},
	}
}

// clientTokenOf returns the token that a client shows, or "" if it has none.
func clientTokenOf(c *cli.Context, encrypted bool) (string, error) {
	file, token := c.String("token-file"), os.Getenv(client.TokenEnv)
	source := client.TokenEnv
	if file != "" {
		source = sourceOf(c, "token-file")
	}
	switch {
	case file == "" && token == "":
		return "", nil
	case c.IsSet("lab"):
		return "", problem.Usage("the course's tasks have no tokens: --lab cannot be used with %s", source)
	case !encrypted:
		return "", problem.UsageHint(fmt.Errorf("%s: a token is sent only over TLS", source), "give the server's fingerprint with --pin, or --tls if this system trusts its certificate")
	case file != "":
		text, err := secret.Read(file, "token")
		if err != nil {
			return "", problem.Item(source+" "+file, err)
		}
		token, source = strings.TrimRight(string(text), "\r\n"), source+" "+escape.Name(file)
	}
	if len(token) < wire.MinToken || len(token) > wire.MaxToken || strings.ContainsFunc(token, notInToken) {
		return "", problem.UsageHint(fmt.Errorf("%s: not a valid token: it must be %d to %d ASCII characters without spaces", source, wire.MinToken, wire.MaxToken), "make one with 'openssl rand -hex 32'")
	}
	return token, nil
}

func notInToken(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' }
