// Package certs makes or reads the key and certificate by which a server encrypts.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/labnet/labnet/commands/atomicfile"
	"github.com/labnet/labnet/commands/secret"
)

// identityName is what a server is called in the certificate around its own key.
const identityName = "labnet"

// OpenIdentity reads the key of a server, or makes it, durably. The certificate
// around it is made again each time, always the same. labnet's clients look at nothing
// but the key.
func OpenIdentity(file string) (*tls.Certificate, error) {
	if fi, err := os.Stat(file); err == nil && !fi.Mode().IsRegular() {
		return nil, errors.New("not a file") // a FIFO would be waited for
	}
	text, err := secret.Read(file, "key")
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeIdentity(file); err == nil {
			text, err = secret.Read(file, "key") // another process may have been quicker
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
		DNSNames:     []string{identityName},
	}
	template.Subject.CommonName = identityName
	// Without random numbers the signature, and so the certificate, is the same each time:
	// for programs that can trust a certificate, but not a key (RFC 6979).
	der, err := x509.CreateCertificate(nil, template, template, signer.Public(), signer)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
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
	owner, err := os.Stat(filepath.Dir(file))
	if err == nil {
		err = atomicfile.GiveTo(tmp, owner)
	}
	if err = errors.Join(err, pem.Encode(tmp, &pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		tmp.Close()
		return err
	}
	if err = errors.Join(tmp.Sync(), tmp.Close()); err != nil {
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
