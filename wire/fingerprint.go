package wire

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
)

// FingerprintPrefix is what a fingerprint begins with: the digest that it is.
const FingerprintPrefix = "sha256:"

// Fingerprint names the key of a certificate: SHA-256 of its SubjectPublicKeyInfo, as
// in RFC 7469, in hexadecimal.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return FingerprintPrefix + hex.EncodeToString(sum[:])
}
