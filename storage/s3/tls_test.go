package s3_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
)

// trusting trusts the certificate of the gateway.
func trusting(t *testing.T) *tls.Config {
	pem, err := os.ReadFile(os.Getenv("AWS_CA_BUNDLE"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool}
}
