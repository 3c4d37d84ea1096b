package certs

import (
	"bytes"
	"crypto/x509"
	"path/filepath"
	"testing"
)

// TestSameCertificate: programs that can trust a certificate, but not a key, can trust
// that of a server by itself, also after a restart.
func TestSameCertificate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "identity.pem")
	first, err := OpenIdentity(file)
	if err != nil {
		t.Fatal(err)
	}
	next, err := OpenIdentity(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Certificate[0], next.Certificate[0]) {
		t.Error("the certificate is another one")
	}
	roots := x509.NewCertPool()
	roots.AddCert(first.Leaf)
	if _, err := next.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "labnet"}); err != nil {
		t.Error(err)
	}
}
