package client

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// TestFingerprintForms: a fingerprint may be written as other programs do.
func TestFingerprintForms(t *testing.T) {
	const digits = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	want, err := hex.DecodeString(digits)
	must(t, err)
	var colons []string
	for pair := range slices.Chunk([]byte(strings.ToUpper(digits)), 2) {
		colons = append(colons, string(pair))
	}
	for _, form := range []string{
		digits, "sha256:" + digits, strings.ToUpper(digits), "SHA256:" + strings.ToUpper(digits), " " + digits + "\n",
		strings.Join(colons, ":"), "sha256:" + strings.Join(colons, ":"), "sha256//" + base64.StdEncoding.EncodeToString(want),
	} {
		if got, err := parseFingerprint(form); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %x, %v", form, got, err)
		}
	}
	for _, form := range []string{"", "sha256:", digits[1:], digits + "00", "sha1:" + digits, "sha256//AAAA", strings.Replace(digits, "2c", "xx", 1), "sha256:sha256:" + digits} {
		if got, err := parseFingerprint(form); err == nil {
			t.Errorf("%q is taken for %x", form, got)
		}
	}
}
