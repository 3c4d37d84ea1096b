package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/invite"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// maxPasted is how much of standard input is searched for an invitation.
const maxPasted = 64 << 10

func joinCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:  "join",
		Usage: "accept an invitation, so that the other commands send to that server",
		Description: "It asks for the line that 'labnet invite' has printed, or reads it from standard input; as an argument, other users could see it. " +
			"The server joined first is the one that all commands use; -a NAME chooses another.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "name", Usage: "call the server `NAME` (default: its host name)"},
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, EnvVars: []string{"LABNET_TIMEOUT"}, Usage: "give up after `TIME` without progress"},
		},
		Action: func(c *cli.Context) error {
			name, timeout := c.String("name"), c.Duration("timeout")
			switch {
			case c.Args().Present():
				return problem.UsageHint(errors.New("join takes no arguments: other users could see an invitation there, and the shell would remember it"),
					"run 'labnet join' and paste the invitation; the operator of the server should replace one that others have seen, with 'labnet invite --renew'")
			case c.IsSet("name") && !invite.IsServerName(name):
				return problem.Usage("--name: %q is not a name: it is made of letters, digits and . _ -, and is not a number", name)
			case timeout <= 0:
				return problem.Usage("--timeout must be more than zero")
			}
			inv, err := readInvitation(c.Context, con)
			if err != nil {
				return err
			}
			return join(c.Context, con, invite.ServerOf(inv, name), timeout)
		},
	}
}

// readInvitation reads an invitation from standard input, or asks for it.
func readInvitation(ctx context.Context, con *terminal.Console) (*invite.Invitation, error) {
	missing := problem.UsageHint(errors.New("no invitation on standard input"), "run 'labnet join' on a terminal and paste it, or 'labnet join <FILE'")
	if !con.Interactive() {
		text, err := io.ReadAll(io.LimitReader(con.In, maxPasted))
		if err != nil {
			return nil, problem.Item("standard input", err)
		}
		if strings.TrimSpace(string(text)) == "" {
			return nil, missing
		}
		return invite.Decode(string(text))
	}
	lines := con.SecretLines()
	defer lines.Stop()
	text, prompt := "", "invitation (it is not shown): "
	for {
		line, err := lines.Next(ctx, prompt)
		if err == io.EOF {
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		text += line + "\n"
		inv, err := invite.Decode(text)
		if err == nil {
			return inv, nil
		}
		// Whatever is still to come of what was pasted must not reach the shell.
		if _, cut := errors.AsType[*invite.CutError](err); cut && strings.TrimSpace(line) != "" {
			prompt = "and the rest of it: "
			continue
		}
		if strings.TrimSpace(text) != "" {
			con.Fail(err)
		}
		text, prompt = "", "invitation, or Ctrl-D: "
	}
}

// join checks that a server is the one that a user was invited to, and knows the user,
// and saves it.
func join(ctx context.Context, con *terminal.Console, s invite.Server, timeout time.Duration) error {
	servers, err := invite.Servers()
	if err == nil {
		_, err = invite.File()
	}
	if err == nil {
		err = invite.CheckFree(servers, s)
	}
	if err != nil {
		return err
	}
	o, err := optionsFor(&s, client.Options{Timeout: timeout})
	if err != nil {
		return err
	}
	conn, at, err := o.DialAny(ctx)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(slices.Clone(s.Addrs), func(addr string) bool { return addr == at })
	s.Addrs = append([]string{at}, others...) // what works is tried first from now on
	err = o.Classify(ctx, wire.PingAs(ctx, conn, s.Token, timeout))
	refused, answered := errors.AsType[*wire.Error](err)
	switch {
	case err == nil:
	case answered && refused.Code == wire.CodeDenied:
		return &uninvited{s.Until}
	case answered && storeCodes[refused.Code]: // the server is the right one, and knows the user
		con.Note("at the moment the server cannot store anything: %s", problem.Of(err).Message)
	default:
		return err
	}
	if err := invite.Save(s); err != nil {
		return err
	}
	key := s.Fingerprint
	if key == "" {
		key = "a certificate that this system trusts"
	}
	con.Say("joined %s as %s: the server at %s, with %s", s.Name, s.User, at, key)
	if len(servers) > 0 && servers[0].Name != s.Name {
		con.Note("'-a %s' sends there; without it, %s is used", s.Name, servers[0].Name)
	}
	return nil
}

// storeCodes are of refusals that are about the store, not the user.
var storeCodes = map[wire.Code]bool{wire.CodeDegraded: true, wire.CodeReadOnly: true, wire.CodeNoSpace: true}

// An uninvited user has an invitation that the server does not know.
type uninvited struct{ until time.Time }

func (e *uninvited) Error() string {
	if !e.until.IsZero() && time.Now().After(e.until) {
		return "the invitation expired at " + e.until.UTC().Format(time.RFC3339)
	}
	return "the server does not accept the invitation: it was revoked or replaced"
}

func (e *uninvited) Describe() problem.Description {
	return problem.Description{Kind: string(wire.CodeDenied), Hint: "ask the server's operator for another; nothing was sent or saved"}
}

// A listedServer is what labnet servers tells of a server; never the token.
type listedServer struct {
	Op          string   `json:"op"` // "server"
	Server      string   `json:"server"`
	Addrs       []string `json:"addrs"`
	User        string   `json:"user"`
	Fingerprint string   `json:"fingerprint,omitempty"` // absent: a certificate that the system trusts
	Default     bool     `json:"default,omitempty"`
	Until       string   `json:"until,omitempty"` // RFC 3339; absent: without end
}

func serversCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:  "servers",
		Usage: "list the servers that you have joined",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "default", Usage: "make the server `NAME` the one that is used without -a"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON, one object per line"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return problem.Usage("servers takes no arguments, but %q was given", c.Args().First())
			}
			con.JSON = c.Bool("json")
			if name := c.String("default"); name != "" {
				if err := invite.Prefer(name); err != nil {
					return err
				}
			}
			servers, err := invite.Servers()
			if err != nil {
				return err
			}
			listServers(con, servers)
			return nil
		},
	}
}

// listServers prints saved servers, the default first.
func listServers(con *terminal.Console, servers []invite.Server) {
	var table strings.Builder
	columns := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for i, s := range servers {
		l := listedServer{Op: "server", Server: s.Name, Addrs: s.Addrs, User: s.User, Fingerprint: s.Fingerprint, Default: i == 0}
		more := ""
		if !s.Until.IsZero() {
			l.Until = s.Until.UTC().Format(time.RFC3339)
			more = "\tuntil " + l.Until
		}
		if l.Default {
			more += "\tdefault"
		}
		con.Received()
		if con.JSON {
			con.Write(terminal.Encode(l))
			continue
		}
		fmt.Fprintf(columns, "%s\t%s\tas %s%s\n", s.Name, escape.Name(strings.Join(s.Addrs, ", ")), escape.Name(s.User), more)
	}
	columns.Flush()
	io.WriteString(con, table.String())
}

func leaveCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:        "leave",
		Usage:       "forget a server that you have joined, and its token",
		ArgsUsage:   "NAME",
		Description: "The server still accepts the token; there, 'labnet revoke' ends it.",
		Action: func(c *cli.Context) error {
			if c.Args().Len() != 1 {
				return problem.UsageHint(errors.New("leave needs the name of one server"), "'labnet servers' lists them")
			}
			name := c.Args().First()
			if err := invite.Leave(name); err != nil {
				return err
			}
			con.Say("left %s", escape.Name(name))
			return nil
		},
	}
}
