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
	return FingerprintPrefix + hex.EncodeToString(KeySum(cert))
}

// KeySum is what Fingerprint writes in hexadecimal, of 32 bytes.
func KeySum(cert *x509.Certificate) []byte {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return sum[:]
}
