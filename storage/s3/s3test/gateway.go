package s3test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Program is the variable of the environment that names the program versitygw.
const Program = "LABNET_VERSITYGW"

// A Gateway is a real object store: versitygw over a folder, with TLS.
type Gateway struct {
	Endpoint string // URL
	Folder   string // each folder in it is a bucket
	CA       string // file with its certificate
}

// NewGateway starts one until the test ends. It sets the environment so that it
// is found and trusted. Where it is not installed the test is skipped.
func NewGateway(t testing.TB) *Gateway {
	t.Helper()
	program := os.Getenv(Program)
	if program == "" {
		t.Skipf("needs a real object store: build versitygw and set %s, see docs/object-storage.md", Program)
	}
	dir := t.TempDir()
	g := &Gateway{Folder: filepath.Join(dir, "buckets"), CA: filepath.Join(dir, "cert.pem")}
	if err := os.Mkdir(g.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key.pem")
	makeCertificate(t, g.CA, key)
	addr := freeAddress(t)
	cmd := exec.Command(program, "--port", addr, "--cert", g.CA, "--key", key, "--access", "test", "--secret", "testsecret",
		"--quiet", "--keep-alive", "posix", g.Folder)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("versitygw: %s", output.Bytes())
		}
	})
	waitFor(t, addr)
	g.Endpoint = "https://" + addr
	for _, setting := range g.Env() {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
	return g
}

// Env is what a program needs in its environment to use it.
func (g *Gateway) Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=testsecret", "AWS_CA_BUNDLE=" + g.CA,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_S3=" + g.Endpoint,
	}
}

// Bucket makes a bucket and returns its name and its folder.
func (g *Gateway) Bucket(t testing.TB) (name, folder string) {
	t.Helper()
	folder, err := os.MkdirTemp(g.Folder, "bucket")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(folder), folder
}

func freeAddress(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func waitFor(t testing.TB, addr string) {
	for range 1000 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("versitygw does not listen at %s", addr)
}

func makeCertificate(t testing.TB, certFile, keyFile string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name, kind string
		der        []byte
	}{{certFile, "CERTIFICATE", der}, {keyFile, "PRIVATE KEY", secret}} {
		if err := os.WriteFile(f.name, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Fatal(fmt.Errorf("certificate: %w", err))
	}
}
