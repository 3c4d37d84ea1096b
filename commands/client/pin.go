package client

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// checkPin compares the key of a server with the one that it must have. That
// the server has the other half of it, the handshake proves.
func checkPin(want []byte, cert *x509.Certificate) error {
	got := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	if subtle.ConstantTimeCompare(got[:], want) != 1 {
		return &wrongKey{got: wire.Fingerprint(cert), want: wire.FingerprintPrefix + hex.EncodeToString(want)}
	}
	return nil
}

// A wrongKey is that of a server which is not the one that was meant.
type wrongKey struct{ got, want string }

func (e *wrongKey) Error() string {
	return fmt.Sprintf("the server's key is %s, and not the pinned %s", e.got, e.want)
}

// parseFingerprint reads a fingerprint in each of the ways that programs write the
// SHA-256 of a key: in hexadecimal as wire.Fingerprint does, with colons as openssl, in
// base64 as curl's --pinnedpubkey.
func parseFingerprint(s string) ([]byte, error) {
	digits := strings.TrimSpace(s)
	if n := len(wire.FingerprintPrefix); len(digits) >= n && strings.EqualFold(digits[:n], wire.FingerprintPrefix) {
		digits = digits[n:]
	}
	if encoded, ok := strings.CutPrefix(digits, "sha256//"); ok {
		if sum, err := base64.StdEncoding.DecodeString(encoded); err == nil && len(sum) == sha256.Size {
			return sum, nil
		}
	}
	digits = strings.ReplaceAll(digits, ":", "")
	sum, err := hex.DecodeString(digits)
	switch {
	case err == nil && len(sum) == sha256.Size:
		return sum, nil
	case digits != "" && strings.Trim(strings.ToLower(digits), "0123456789abcdef") == "":
		return nil, fmt.Errorf("%q has %s, not 64", s, terminal.Counted(len(digits), "hexadecimal digit", "hexadecimal digits"))
	}
	return nil, fmt.Errorf("%q is not a fingerprint: 64 hexadecimal digits", s)
}
