package commands

import (
	"cmp"
	"errors"
	"fmt"
	"net"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/access"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
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
		&cli.StringFlag{Name: "tokens", Category: ofAccess, Usage: "accept only clients whose token is listed in `FILE`; requires TLS (default for addresses that other machines reach: in the store)"},
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

// users returns who may send, or nil if everybody may. It has w follow what becomes of
// the file.
func (o accessOptions) users(w *reload.Watcher, store storage.Store, keep dir.Options, log zerolog.Logger) (*access.Doorkeeper, error) {
	if o.tokens == "" {
		return nil, nil
	}
	return access.NewDoorkeeper(w, o.tokens, store, asWireStore, log)
}

// Hints for a server that would accept what anyone sends who can reach it.
const (
	hintTLS    = "add --tls and --tokens FILE, or listen on 127.0.0.1; --insecure lets anyone send"
	hintTokens = "add --tokens FILE, or listen on 127.0.0.1; --insecure lets anyone send"
	hintInvite = "let someone send with 'labnet invite NAME%s', or listen on 127.0.0.1; --insecure lets anyone send"
)

// secure has a server that other machines reach at an address use the key and the tokens
// in the hidden folder of its store, unless it was given others. It fails if there are
// none, or no such folder, unless that is what is wanted.
func (o *serveOptions) secure(hidden string, addr net.Addr) error {
	if !o.isExposed(addr) || o.access.insecure {
		return nil
	}
	hint := hintTLS
	switch tokens := access.TokensIn(hidden); {
	case hidden == "" || o.lab != 0:
		if o.tls.on {
			hint = hintTokens
		}
	case o.access.tokens == "" && !isFile(tokens):
		hint = fmt.Sprintf(hintInvite, o.storeFlag())
	default:
		o.tls.on, o.access.tokens = true, cmp.Or(o.access.tokens, tokens)
		return nil
	}
	without := "TLS and tokens"
	if o.tls.on {
		without = "tokens"
	}
	return problem.New("other machines may reach it, and without "+without+" anyone there can send", "exposed", hint)
}

// storeFlag is how the store was named, if that is not the default, with a space before.
func (o *serveOptions) storeFlag() string {
	if o.store == defaultStore {
		return ""
	}
	return " --store " + shellWords([]string{o.store})
}

func (o *serveOptions) isExposed(addr net.Addr) bool {
	return !isLocal(addr) && !(o.tls.on && o.access.tokens != "")
}
