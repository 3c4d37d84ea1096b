package commands

import (
	"errors"
	"net"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/access"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// accessOptions are the flags of serve that are about who may send.
type accessOptions struct {
	tokens   string // a file; "": everybody may
	insecure bool
}

// ofAccess is the title of the flags about it in the help.
const ofAccess = "Access"

func accessFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "tokens", Category: ofAccess, Usage: "accept only clients whose token is listed in `FILE`; requires TLS"},
		&cli.BoolFlag{Name: "insecure", Category: ofAccess, Usage: "allow other machines to connect without TLS or tokens"},
	}
}

func accessOptionsOf(c *cli.Context, encrypted bool) (accessOptions, error) {
	o := accessOptions{c.String("tokens"), c.Bool("insecure")}
	switch {
	case c.IsSet("tokens") && o.tokens == "":
		return o, problem.Usage("--tokens: no file given")
	case o.tokens != "" && !encrypted:
		return o, problem.UsageHint(errors.New("--tokens requires TLS: without it, anyone can read a token"), "add --tls, or --cert and --key")
	}
	return o, nil
}

// authenticate returns what tells a wire.Server whose a token is, or nil if it wants
// none. It has w follow what becomes of the file.
func (o accessOptions) authenticate(w *reload.Watcher, store storage.Store, keep dir.Options, log zerolog.Logger) (func(string) (wire.Identity, bool), error) {
	if o.tokens == "" {
		return nil, nil
	}
	d, err := access.NewDoorkeeper(w, o.tokens, store, asWireStore, keep.PartialTTL, log)
	if err != nil {
		return nil, err
	}
	return d.Authenticate, nil
}

// These mean that a server would accept what anyone sends who can reach it.
var (
	errExposed = problem.New("other machines may reach it, and without TLS and tokens anyone there can send",
		"exposed", "add --tls and --tokens FILE, or listen on 127.0.0.1; --insecure lets anyone send")
	errNoTokens = problem.New("other machines may reach it, and without tokens anyone there can send",
		"exposed", "add --tokens FILE, or listen on 127.0.0.1; --insecure lets anyone send")
)

// checkExposed fails if other machines reach an address of a server that cannot tell
// who they are, unless that is what is wanted.
func (o serveOptions) checkExposed(addr net.Addr) error {
	switch {
	case !o.isExposed(addr) || o.access.insecure:
		return nil
	case o.tls.on:
		return errNoTokens
	}
	return errExposed
}

func (o serveOptions) isExposed(addr net.Addr) bool {
	return !isLocal(addr) && !(o.tls.on && o.access.tokens != "")
}
