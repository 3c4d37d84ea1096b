package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/access"
	"github.com/labnet/labnet/commands/address"
	"github.com/labnet/labnet/commands/atomicfile"
	"github.com/labnet/labnet/commands/certs"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/invite"
	"github.com/labnet/labnet/commands/lasttime"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// A place is where a server has its users and its key.
type place struct {
	store  string
	tokens string // "": in the store
	object bool   // the store is not a folder
}

// placeFlags are the flags of serve that say where.
func placeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "store", Value: defaultStore, EnvVars: []string{"LABNET_STORE"}, Usage: "the server stores in `FOLDER`"},
		&cli.StringFlag{Name: "tokens", EnvVars: []string{"LABNET_TOKENS"}, Usage: "its users are in `FILE` (default: in the store)"},
	}
}

func placeOf(c *cli.Context) (place, error) {
	p := place{store: c.String("store"), tokens: c.String("tokens")}
	p.object = strings.HasPrefix(p.store, objectScheme)
	switch {
	case p.object && p.tokens == "":
		return p, problem.Usage("an object store keeps no users: with --store %s, %s needs --tokens FILE", objectScheme, c.Command.Name)
	case p.tokens == "":
		p.tokens = access.TokensIn(p.hidden())
	}
	return p, nil
}

func (p place) hidden() string { return dir.HiddenIn(p.store) }

// make makes the folders of a store that has none yet.
func (p place) make() error {
	err := dir.Make(p.store)
	if err == nil {
		err = atomicfile.MakeFolder(p.hidden(), 0o700)
	}
	if err != nil {
		return &storeError{p.store, err}
	}
	return access.MakeFolderIn(p.hidden())
}

// userArgument returns the user that a command is about.
func userArgument(c *cli.Context) (string, error) {
	switch c.Args().Len() {
	case 0:
		return "", problem.Usage("%s needs the name of a user", c.Command.Name)
	case 1:
		return c.Args().First(), nil
	}
	return "", problem.Usage("%s takes one user, but %q and %q were given", c.Command.Name, c.Args().First(), c.Args().Get(1))
}

func inviteCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:      "invite",
		Usage:     "let a user send to this server, and print the invitation for 'labnet join'",
		ArgsUsage: "NAME",
		Description: "The invitation is one line, and a secret: give it to the user over a channel that others cannot read. " +
			"The command and the link below it, for those who have curl or a browser and not labnet, are as secret. All work as long as the user has it, until 'labnet revoke NAME'. A running server admits the user within a second.",
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "at", Usage: "the server is at `HOST:PORT`; may be repeated (default: this machine's addresses)"},
			&cli.StringFlag{Name: "rights", DefaultText: "say,blob,upload", Usage: "allow only these `KINDS` of things; status allows seeing what the server does"},
			&cli.StringFlag{Name: "dir", Usage: "store what the user sends in `FOLDER` of the store"},
			&cli.StringFlag{Name: "max-bytes", Usage: "with --dir: at most `SIZE` in that folder"},
			&cli.StringFlag{Name: "max-files", Usage: "with --dir: at most `N` files and folders in that folder"},
			&cli.StringFlag{Name: "expires", Usage: "end the token after `TIME`, such as 7d, or at the end of a day, such as 2026-12-31"},
			&cli.BoolFlag{Name: "renew", Usage: "replace the token of a user that has one"},
			&cli.StringFlag{Name: "identity", EnvVars: []string{"LABNET_IDENTITY"}, Usage: "the server's key is in `FILE` (default: in the store)"},
			&cli.BoolFlag{Name: "tls", Usage: "the server has a certificate that the user's system trusts, for the host of --at"},
		}, placeFlags()...),
		Action: func(c *cli.Context) error {
			name, err := userArgument(c)
			if err != nil {
				return err
			}
			p, err := placeOf(c)
			if err != nil {
				return err
			}
			grant, err := grantOf(c, name)
			if err != nil {
				return err
			}
			return inviteUser(c, con, p, grant)
		},
	}
}

// grantOf reads the flags that say what a user may do.
func grantOf(c *cli.Context, name string) (access.Grant, error) {
	g := access.Grant{Name: name, Rights: c.String("rights"), MaxBytes: c.String("max-bytes"), MaxFiles: c.String("max-files"), Dir: c.String("dir")}
	if text := c.String("expires"); text != "" {
		span, err := parseSpan(text)
		if err == nil {
			g.Until = time.Now().Add(span).Truncate(time.Second).UTC()
		} else if g.Until, err = access.ParseUntil(text); err != nil {
			return g, problem.Usage("--expires: %q is neither a time such as 7d nor a day such as 2026-12-31", text)
		}
		if !g.Until.After(time.Now()) || g.Until.Year() > 9999 {
			return g, problem.Usage("--expires: %s is not in the future", escape.Name(text))
		}
	}
	if err := g.Check(c.Bool("renew")); err != nil {
		return g, problem.Usage("%w", err)
	}
	return g, nil
}

// inviteUser adds a user and prints the invitation. Nothing is changed before it is
// known that it can be printed.
func inviteUser(c *cli.Context, con *terminal.Console, p place, grant access.Grant) error {
	inv := &invite.Invitation{User: grant.Name, Until: grant.Until, Token: strings.Repeat("x", wire.MinToken)}
	if err := addressesOf(c, inv); err != nil {
		return err
	}
	if p.object && c.String("identity") == "" && !c.Bool("tls") {
		return problem.Usage("an object store keeps no key: with --store %s, invite needs --identity FILE or --tls", objectScheme)
	}
	if _, err := inv.Encode(); err != nil {
		return err
	}
	inStore := c.String("tokens") == "" || c.String("identity") == "" && !c.Bool("tls")
	if inStore {
		if err := p.make(); err != nil {
			return err
		}
	}
	if !c.Bool("tls") {
		file := cmp.Or(c.String("identity"), filepath.Join(p.hidden(), identityName))
		cert, err := certs.OpenIdentity(file)
		if err != nil {
			return problem.Item(file, err)
		}
		inv.Key = wire.KeySum(cert.Leaf)
	}
	token, err := access.Invite(p.tokens, grant, c.Bool("renew"))
	if err != nil {
		return err
	}
	inv.Token = token
	line, err := inv.Encode()
	if err != nil {
		return err
	}
	return printInvitation(c, con, inv, line)
}

// printInvitation prints the line for labnet join, and how to send without labnet to the
// first address, as far as that can be done there. People can take the link with a camera.
func printInvitation(c *cli.Context, con *terminal.Console, inv *invite.Invitation, line string) error {
	may := func(right string) bool {
		rights := c.String("rights")
		return rights == "" || slices.Contains(strings.Split(rights, ","), right)
	}
	lines, also, link := []string{line}, "", ""
	if curl := curlCommand("-fT FILE", inv.Addrs[0], "", inv.Token, inv.Key); curl != "" && may("upload") {
		lines, also = append(lines, curl), "; the command sends a file with curl"
	} else if curl := curlCommand("-f", inv.Addrs[0], "status.json", inv.Token, inv.Key); curl != "" && may("status") {
		lines, also = append(lines, curl), "; the command shows the status with curl"
	}
	if page := webAddress(inv.Addrs[0]); page != "" && (may("upload") || may("say")) {
		link = page + "#" + inv.Token
		lines, also = append(lines, link), also+"; the link opens a page in a browser"
		if inv.Key != nil {
			also += ", which warns that it does not know the server"
		}
	}
	if _, err := fmt.Fprintln(con, strings.Join(lines, "\n")); err != nil {
		return err
	}
	con.Picture(link)
	con.Note("this is the invitation of %s to %s, and a secret: 'labnet join' asks for the first line%s", inv.User, strings.Join(inv.Addrs, ", "), also)
	return nil
}

// addressesOf reads where the server is.
func addressesOf(c *cli.Context, inv *invite.Invitation) error {
	given := c.StringSlice("at")
	switch {
	case len(given) > invite.MaxAddrs:
		return problem.Usage("--at: an invitation has at most %d addresses", invite.MaxAddrs)
	case len(given) == 0 && c.Bool("tls"):
		return problem.Usage("--tls needs --at HOST:PORT: a certificate is for a host name")
	case len(given) == 0:
		given = invite.LocalHosts()
		if name, err := os.Hostname(); err == nil && invite.IsServerName(name) {
			inv.Server = name
		}
		if len(given) == 0 {
			return problem.UsageHint(errors.New("this machine has no address that others could reach"), "give its address with --at HOST:PORT")
		}
	}
	for _, text := range given {
		addr, host, err := address.Server(text, "--at")
		if err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(addr)
		if n, err := net.LookupPort("tcp", port); err == nil { // its name may be another elsewhere
			addr = net.JoinHostPort(host, strconv.Itoa(n))
		}
		if !slices.Contains(inv.Addrs, addr) {
			inv.Addrs = append(inv.Addrs, addr)
		}
	}
	return nil
}

func revokeCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:        "revoke",
		Usage:       "end the token of a user of this server",
		ArgsUsage:   "NAME",
		Description: "A running server disconnects the user within a second. What was received stays.",
		Flags:       placeFlags(),
		Action: func(c *cli.Context) error {
			name, err := userArgument(c)
			if err != nil {
				return err
			}
			p, err := placeOf(c)
			if err != nil {
				return err
			}
			if err := access.Revoke(p.tokens, name); err != nil {
				return err
			}
			con.Say("revoked %s", name)
			return nil
		},
	}
}

// A listedUser is what labnet users tells of a user.
type listedUser struct {
	Op       string   `json:"op"` // "user"
	User     string   `json:"user"`
	Rights   []string `json:"rights"`
	Folder   string   `json:"folder,omitempty"`    // in the store; absent: all of it
	Bytes    *int64   `json:"bytes,omitempty"`     // in the folder, if that can be counted
	MaxBytes int64    `json:"max_bytes,omitempty"` // in the folder; absent: no limit
	Files    *int64   `json:"files,omitempty"`     // and folders, in the folder
	MaxFiles int64    `json:"max_files,omitempty"` // likewise
	Seen     string   `json:"seen,omitempty"`      // RFC 3339; absent: never, or not known
	Until    string   `json:"until,omitempty"`     // RFC 3339; absent: without end
	Expired  bool     `json:"expired,omitempty"`
}

func usersCommand(con *terminal.Console) *cli.Command {
	return &cli.Command{
		Name:        "users",
		Usage:       "list who may send to this server",
		Description: "For each user: what the user may do, the folder, how much is in it, and when the user was last there.",
		Flags:       append(placeFlags(), &cli.BoolFlag{Name: "json", Usage: "print JSON, one object per line"}),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return problem.Usage("users takes no arguments, but %q was given", c.Args().First())
			}
			con.JSON = c.Bool("json")
			p, err := placeOf(c)
			if err != nil {
				return err
			}
			return listUsers(c.Context, con, p)
		},
	}
}

// listUsers prints who may send.
func listUsers(ctx context.Context, con *terminal.Console, p place) error {
	users, err := access.Users(p.tokens)
	if err != nil {
		return err
	}
	var seen map[string]time.Time
	if !p.object {
		if seen, err = lasttime.Read(access.SeenIn(p.hidden())); err != nil {
			con.Note("when users were last seen is not known: %s", problem.Of(err).Message)
		}
	}
	var table strings.Builder
	columns := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	for _, u := range users {
		l := listedUser{Op: "user", User: u.Name, Rights: u.Rights, Folder: u.Dir, MaxBytes: u.MaxBytes, MaxFiles: u.MaxFiles, Expired: u.Expired()}
		if u.Dir != "" && !p.object {
			if used, err := dir.UsageOf(ctx, p.store, u.Dir); err == nil {
				l.Bytes, l.Files = &used.Bytes, &used.Files
			} else {
				con.Note("%s: cannot count what is in it: %s", escape.Name(u.Dir), problem.Of(err).Message)
			}
		}
		if at, known := seen[u.Name]; known {
			l.Seen = at.UTC().Format(time.RFC3339)
		}
		if !u.Until.IsZero() {
			l.Until = u.Until.Format(time.RFC3339)
		}
		con.Received()
		if con.JSON {
			con.Write(terminal.Encode(l))
			continue
		}
		fmt.Fprintln(columns, l.row())
	}
	columns.Flush()
	if !con.JSON {
		io.WriteString(con, table.String())
	}
	return nil
}

// row is what people read of a user.
func (l listedUser) row() string {
	use := "-"
	if l.Bytes != nil {
		use = humanize.IBytes(uint64(*l.Bytes))
		if l.MaxBytes > 0 {
			use += " of " + humanize.IBytes(uint64(l.MaxBytes))
		}
		if l.MaxFiles > 0 {
			use += fmt.Sprintf(", %d of %d files", *l.Files, l.MaxFiles)
		}
	}
	folder, end := "-", ""
	if l.Folder != "" {
		folder = escape.Name(l.Folder)
	}
	switch {
	case l.Expired:
		end = "\texpired " + l.Until
	case l.Until != "":
		end = "\tuntil " + l.Until
	}
	seen := "not seen yet"
	if l.Seen != "" {
		seen = "seen " + l.Seen
	}
	return strings.Join([]string{l.User, strings.Join(l.Rights, ","), folder, use, seen}, "\t") + end
}
