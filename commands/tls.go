package commands

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
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
		return o, usageError("--cert and --key must be given together")
	case o.cert != "" && o.identity != "":
		return o, usageError("--identity cannot be used with --cert and --key")
	}
	o.on = o.on || o.identity != "" || o.cert != ""
	if o.on && c.String("lab") != "" {
		return o, usageError("the course's tasks have no TLS: --lab cannot be used with --tls, --identity or --cert")
	}
	return o, nil
}

// certificate returns what a wire.Server shows its clients, or nil if it is not
// to encrypt. A key without a file of its own is in the folder hidden. It has w
// follow what becomes of the files.
func (o tlsOptions) certificate(w *watcher, hidden string, log zerolog.Logger) (func() (*tls.Certificate, error), error) {
	switch {
	case !o.on:
		return nil, nil
	case o.cert != "":
		return o.watch(w, log)
	case o.identity == "":
		o.identity = filepath.Join(hidden, identityName)
	}
	cert, err := openIdentity(o.identity)
	if err != nil {
		return nil, &itemError{o.identity, err}
	}
	log.Info().Str("identity", o.identity).Str("fingerprint", fingerprint(cert.Leaf)).Msg("encrypting; clients give the fingerprint with --pin")
	return func() (*tls.Certificate, error) { return cert, nil }, nil
}

// openIdentity reads the key of a server, or makes it, durably. The certificate
// around it is made anew each time: nobody looks at more than the key.
func openIdentity(file string) (*tls.Certificate, error) {
	if fi, err := os.Stat(file); err == nil && !fi.Mode().IsRegular() {
		return nil, errors.New("not a file") // a FIFO would be waited for
	}
	text, err := readSecret(file, "key")
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeIdentity(file); err == nil {
			text, err = readSecret(file, "key") // another process may have been quicker
		}
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("contains no private key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("holds a key that cannot sign")
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // never (RFC 5280, 4.1.2.5)
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	template.Subject.CommonName = "labnet"
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// readSecret reads a file with a key or token, which nobody else may read.
func readSecret(file, what string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := fi.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, &exposedSecret{file, what, mode}
	}
	return io.ReadAll(io.LimitReader(f, 64<<10))
}

// An exposedSecret is one that others than the owner of its file may read.
type exposedSecret struct {
	file, what string
	mode       fs.FileMode
}

func (e *exposedSecret) Error() string {
	return fmt.Sprintf("others can read or change this %s (mode %04o)", e.what, e.mode)
}

func (e *exposedSecret) describe() description {
	return description{kind: "exposed-" + e.what, hint: e.hint()}
}

func (e *exposedSecret) hint() string {
	hint := "chmod 600 " + printable(e.file) + ", or "
	if e.what == "token" {
		return hint + "replace it if others may have read it"
	}
	return hint + "remove it if others may have read it; a new one has another fingerprint"
}

// makeIdentity makes the key of a server in a file, which appears complete and
// durable. It is one of P-256, which every TLS library knows, those of Windows
// and of browsers too, unlike Ed25519; both are equally fast.
func makeIdentity(file string) (err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".identity-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	err = pem.Encode(tmp, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(file))
}

// syncFolder makes the names in a folder durable, where the system has a way.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
