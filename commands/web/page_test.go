package web_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/wire"
)

// TestPage: a browser gets the page, may run and show what is in it, and nothing else.
func TestPage(t *testing.T) {
	w := start(t, nil)
	a, text := w.do("GET", "/", "", "Accept: text/html")
	policy := a.Header.Get("Content-Security-Policy")
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(policy, "default-src 'none';") {
		t.Errorf("%s %v", a.Status, a.Header)
	}
	for _, element := range []string{"style", "script"} {
		inside := regexp.MustCompile(`(?s)<` + element + `[^>]*>(.*)</` + element + `>`).FindStringSubmatch(text)
		if inside == nil {
			t.Fatalf("no %s in %s", element, text)
		}
		sum := sha256.Sum256([]byte(inside[1]))
		if !strings.Contains(policy, element+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
			t.Errorf("its %s is not allowed by %s", element, policy)
		}
	}
	if found := regexp.MustCompile(`https?://|innerHTML| on[a-z]+=| style=`).FindString(text); found != "" {
		t.Errorf("the page has %q", found)
	}
	a, text = w.do("GET", "/x", "", "Accept: text/html")
	if a.StatusCode != http.StatusNotFound || !strings.Contains(text, "<h1>Not Found</h1>") {
		t.Errorf("%s: %s", a.Status, text)
	}
}

// TestPageIsSmall: one can read all of it.
func TestPageIsSmall(t *testing.T) {
	lines := 0
	for _, name := range []string{"page.html", "page.css", "page.js"} {
		b, err := os.ReadFile(name)
		must(t, err)
		lines += bytes.Count(b, []byte("\n"))
	}
	if lines > 400 {
		t.Errorf("the page has %d lines", lines)
	}
}

// TestWhoami: a page learns whose token it has. To ask without one is no offence, and a
// browser is not to ask for it in the page's place.
func TestWhoami(t *testing.T) {
	w := start(t, nil)
	if a, text := w.do("GET", "/whoami", ""); a.StatusCode != http.StatusOK || text != "{}\n" {
		t.Errorf("%s: %s", a.Status, text)
	}
	own := certificate(t)
	w = start(t, func(s *wire.Server, o *web.Options) {
		o.AnyName = true
		s.Certificate = func() (*tls.Certificate, error) { return own, nil }
		s.Authenticate = func(got string) (wire.Identity, bool) { return alice{s.Store}, got == token }
	})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	ask := func(path string, headers ...string) (status int, body, challenges string) {
		t.Helper()
		client.CloseIdleConnections()
		r, err := http.NewRequest("GET", "https://"+w.addr+path, nil)
		must(t, err)
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		a, err := client.Do(r)
		must(t, err)
		defer a.Body.Close()
		var b bytes.Buffer
		b.ReadFrom(a.Body)
		return a.StatusCode, b.String(), strings.Join(a.Header.Values("WWW-Authenticate"), ", ")
	}
	if status, body, _ := ask("/whoami", "Authorization: Bearer "+token); status != http.StatusOK || body != `{"user":"alice"}`+"\n" {
		t.Errorf("%d: %s", status, body)
	}
	for range 20 {
		status, body, challenges := ask("/whoami", "Sec-Fetch-Mode: cors")
		if status != http.StatusUnauthorized || strings.Contains(challenges, "Basic") || strings.Contains(body, "curl") {
			t.Fatalf("%d: %s (%s)", status, body, challenges)
		}
		if status, _, _ := ask("/"); status != http.StatusOK {
			t.Fatalf("the page: %d", status)
		}
	}
	if _, _, challenges := ask("/whoami", "Sec-Fetch-Mode: navigate"); !strings.Contains(challenges, "Basic") {
		t.Errorf("challenges: %s", challenges)
	}
	for i := 0; ; i++ {
		if status, _, _ := ask("/whoami", "Authorization: Bearer wrong-"+token); status == http.StatusServiceUnavailable {
			break
		}
		if i == 10 {
			t.Fatal("guessing is not a penalty")
		}
	}
}
