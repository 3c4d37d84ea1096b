package commands

import (
	"crypto/tls"
	"path/filepath"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/certs"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/wire"
)

// identityName is the file in the store's hidden folder that has the key which
// serve --tls makes.
const identityName = "identity.pem"

// tlsOptions are the flags of serve that are about TLS.
type tlsOptions struct {
	on        bool
	identity  string // "": in the store
	cert, key string // in place of an identity
}

// ofTLS is the title of the flags about it in the help.
const ofTLS = "Encryption"

func tlsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "tls", Category: ofTLS, Usage: "require TLS 1.3, with a key that is generated at the first start"},
		&cli.StringFlag{Name: "identity", Category: ofTLS, Usage: "keep that key in `FILE` (default: in the store)"},
		&cli.StringFlag{Name: "cert", Category: ofTLS, Usage: "encrypt with the certificate chain in `FILE`"},
		&cli.StringFlag{Name: "key", Category: ofTLS, Usage: "private key of --cert, in `FILE`"},
	}
}

func tlsOptionsOf(c *cli.Context) (tlsOptions, error) {
	o := tlsOptions{c.Bool("tls"), c.String("identity"), c.String("cert"), c.String("key")}
	switch {
	case (o.cert == "") != (o.key == ""):
		return o, problem.Usage("--cert and --key must be given together")
	case o.cert != "" && o.identity != "":
		return o, problem.Usage("--identity cannot be used with --cert and --key")
	}
	o.on = o.on || o.identity != "" || o.cert != ""
	if o.on && c.String("lab") != "" {
		return o, problem.Usage("the course's tasks have no TLS: --lab cannot be used with --tls, --identity or --cert")
	}
	return o, nil
}

// certificate returns what a wire.Server shows its clients, or nil if it is not
// to encrypt. A key without a file of its own is in the folder hidden. It has w
// follow what becomes of the files.
func (o tlsOptions) certificate(w *reload.Watcher, hidden string, log zerolog.Logger) (func() (*tls.Certificate, error), error) {
	switch {
	case !o.on:
		return nil, nil
	case o.cert != "":
		return certs.WatchPair(w, o.cert, o.key, log)
	case o.identity == "":
		o.identity = filepath.Join(hidden, identityName)
	}
	cert, err := certs.OpenIdentity(o.identity)
	if err != nil {
		return nil, problem.Item(o.identity, err)
	}
	log.Info().Str("identity", o.identity).Str("fingerprint", wire.Fingerprint(cert.Leaf)).Msg("encrypting; clients give the fingerprint with --pin")
	return func() (*tls.Certificate, error) { return cert, nil }, nil
}
