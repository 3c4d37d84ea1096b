package browsertest

import (
	_ "embed"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed hostile.html
var hostile string

// TestHostile: whatever a page of another site tries, by the name of its own or one that
// it makes mean this server, nothing is received, and nothing is told. A page of the
// server itself can send.
func TestHostile(t *testing.T) {
	t.Parallel()
	s := serve(t, "--exec", program+" version")
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(strings.ReplaceAll(hostile, "TARGET", r.URL.Query().Get("target"))))
	}))
	t.Cleanup(site.Close)
	_, port, _ := net.SplitHostPort(site.Listener.Addr().String())
	_, targetPort, _ := net.SplitHostPort(s.link.addr)

	// DNS rebinding: the page comes from elsewhere, and then its own name means the server.
	here := s.addr
	elsewhere := site.Listener.Addr().String()
	for name, page := range map[string]struct{ url, first string }{
		"another site":    {"http://evil.example:" + port + "/?target=http://" + s.link.addr, here},
		"by localhost":    {"http://evil.example:" + port + "/?target=http://localhost:" + targetPort, here},
		"another port":    {"http://127.0.0.1:" + port + "/?target=http://" + s.link.addr, here},
		"a name rebound":  {"http://rebound.example:" + targetPort + "/?target=http://rebound.example:" + targetPort, elsewhere},
		"rebound, framed": {"http://evil.example:" + port + "/?target=http://rebound.example:" + targetPort, here},
	} {
		t.Run(name, func(t *testing.T) {
			p := s.blank()
			s.link.to.Store(&page.first)
			before := len(s.link.sent.String())
			p.MustNavigate(page.url)
			s.link.to.Store(&here)
			s.await("the page to try everything", func() bool {
				return strings.HasPrefix(p.MustEval(`() => document.title`).Str(), "DONE")
			})
			if got := p.MustEval(`() => document.title`).Str(); name != "a name rebound" && got != "DONE" {
				t.Errorf("it has read %s", got)
			}
			sent := s.link.sent.String()[before:]
			for _, part := range []string{"POST / ", "PUT /evil", "multipart/form-data", "evil-form", "evil-beacon", "evil-fetch", "evil-xhr", "GET /evil-img", "Upgrade: websocket"} {
				// A page of another site must ask before it can PUT, and is not allowed.
				if !strings.Contains(sent, part) && (part != "PUT /evil" || name == "a name rebound") {
					t.Errorf("the page was not able to try it: %s", part)
				}
			}
		})
	}
	if got := s.events.String(); got != "" {
		t.Errorf("received: %s", got)
	}
	if got := s.log.String(); strings.Contains(got, `"message":"say"`) || strings.Contains(got, `"message":"upload"`) || strings.Contains(got, "labnet version") {
		t.Error("something was received")
	}
	must(t, filepath.WalkDir(filepath.Join(s.dir, "received"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "lock" {
			t.Errorf("%s was stored", path)
		}
		return err
	}))

	p := s.open("/")
	p.MustElement("#text").MustInput("hello")
	p.MustElementR("button", "Send the message").MustClick()
	p.says("#reply", "Message: hello")
	if got := s.events.String(); strings.Count(got, "\n") != 1 {
		t.Errorf("received: %s", got)
	}
}
