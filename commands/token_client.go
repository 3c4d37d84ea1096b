package commands

import (
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/secret"
	"github.com/labnet/labnet/wire"
)

// tokenEnv holds a token. There is no flag for it: other users of a machine can see
// the arguments of a program.
const tokenEnv = "LABNET_TOKEN"

func clientTokenFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "token-file", EnvVars: []string{"LABNET_TOKEN_FILE"}, Usage: "show the server the token in `FILE`, or that in $" + tokenEnv},
	}
}

// clientTokenOf returns the token that a client shows, or "" if it has none.
func clientTokenOf(c *cli.Context, encrypted bool) (string, error) {
	file, token := c.String("token-file"), os.Getenv(tokenEnv)
	source := tokenEnv
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
