package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/wire"
)

const token = "a token of enough bytes to be valid"

// alice may only upload.
type alice struct{ store wire.Store }

func (alice) Name() string { return "alice" }
func (alice) Valid() bool  { return true }
func (a alice) Permit(op string) (wire.Store, error) {
	if op != "upload" {
		return nil, &wire.Error{Code: wire.CodeForbidden, Text: "alice may not " + op}
	}
	return a.store, nil
}

func certificate(t *testing.T) *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestTokens: nothing but the server's health is told without a valid token, and guessing
// costs the client's address a penalty.
func TestTokens(t *testing.T) {
	own := certificate(t)
	w := start(t, func(s *wire.Server, o *web.Options) {
		o.AnyName = true
		s.Certificate = func() (*tls.Certificate, error) { return own, nil }
		s.Authenticate = func(got string) (wire.Identity, bool) {
			return alice{s.Store}, got == token
		}
	})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	do := func(method, path string, adapt func(*http.Request)) int {
		t.Helper()
		r, err := http.NewRequest(method, "https://"+w.addr+path, strings.NewReader("hello"))
		must(t, err)
		r.Header.Set("Content-Type", "text/plain")
		adapt(r)
		a, err := client.Do(r)
		must(t, err)
		defer a.Body.Close()
		io.Copy(io.Discard, a.Body)
		return a.StatusCode
	}
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	for _, test := range []struct {
		name, method, path string
		adapt              func(*http.Request)
		status             int
	}{
		{"bearer", "PUT", "/a", bearer, http.StatusCreated},
		{"basic", "PUT", "/b", func(r *http.Request) { r.SetBasicAuth("any", token) }, http.StatusCreated},
		{"no right", "POST", "/", bearer, http.StatusForbidden},
		{"health", "GET", "/healthz", func(*http.Request) {}, http.StatusOK},
		{"wrong", "PUT", "/c", func(r *http.Request) { r.SetBasicAuth("", token+"x") }, http.StatusUnauthorized},
		{"none, by tus", "POST", "/tus/", func(r *http.Request) { r.Header.Set("Tus-Resumable", "1.0.0") }, http.StatusUnauthorized},
	} {
		if got := do(test.method, test.path, test.adapt); got != test.status {
			t.Errorf("%s: %d, want %d", test.name, got, test.status)
		}
	}
	w.wantFiles("a", "hello", "b", "hello")
	client.CloseIdleConnections()
	for range 15 { // a monitor has no token, and is no offender
		client.CloseIdleConnections()
		if got := do("GET", "/healthz", func(*http.Request) {}); got != http.StatusOK {
			t.Fatalf("the health is %d", got)
		}
	}
	wrong := func(r *http.Request) { r.SetBasicAuth("", token+"x") }
	for i := 0; do("PUT", "/d", wrong) != http.StatusServiceUnavailable; i++ {
		if i == 10 {
			t.Fatal("guessing is not a penalty")
		}
	}
	if got := do("GET", "/healthz", func(*http.Request) {}); got != http.StatusServiceUnavailable {
		t.Errorf("the health is %d", got)
	}
	if got := do("PUT", "/d", bearer); got != http.StatusCreated {
		t.Errorf("a valid token is answered %d: others at its address have guessed", got)
	}
}

// bob is another.
type bob struct{ alice }

func (bob) Name() string { return "bob" }

// TestConnsOfOneUser: connections are counted for the user whose token they have shown
// last.
func TestConnsOfOneUser(t *testing.T) {
	own := certificate(t)
	w := start(t, func(s *wire.Server, o *web.Options) {
		o.AnyName = true
		s.MaxConnsPerUser = 1
		s.Certificate = func() (*tls.Certificate, error) { return own, nil }
		s.Authenticate = func(got string) (wire.Identity, bool) {
			if got == token+" of bob" {
				return bob{alice{s.Store}}, true
			}
			return alice{s.Store}, got == token
		}
	})
	client := func() *http.Client {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	one, other := client(), client()
	for i, test := range []struct {
		client *http.Client
		token  string
		status int
	}{
		{one, token, http.StatusCreated},
		{one, token, http.StatusCreated},
		{other, token, http.StatusServiceUnavailable},
		{one, token + " of bob", http.StatusCreated},
		{other, token, http.StatusCreated},
		{one, token, http.StatusServiceUnavailable},
	} {
		r, err := http.NewRequest("PUT", fmt.Sprintf("https://%s/%d", w.addr, i), strings.NewReader("hello"))
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+test.token)
		a, err := test.client.Do(r)
		must(t, err)
		io.Copy(io.Discard, a.Body)
		a.Body.Close()
		if a.StatusCode != test.status {
			t.Errorf("request %d: %v, want %d", i, a.Status, test.status)
		}
	}
}
