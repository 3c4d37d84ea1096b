package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/status"
	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

// boardStore is the store as a Board asks it.
type boardStore struct{ *storagetest.Memory }

func (boardStore) Leftovers() []storage.Leftover { return nil }

// watched adds a board to a server.
func watched(t *testing.T, store *storagetest.Memory, s *wire.Server, o *web.Options) {
	o.Status = status.New()
	t.Cleanup(o.Status.Close)
	o.Status.Sources = status.Sources{Server: s, Store: boardStore{store}}
	s.Refused, s.Ended = o.Status.Refused, o.Status.Ended
	s.Received = o.Status.Received
}

// startWatched is start with a board. Clients are on this machine if near.
func startWatched(t *testing.T, near bool, adapt func(*wire.Server, *web.Options)) *world {
	store := storagetest.NewMemory()
	w := startWith(t, store, func(s *wire.Server, o *web.Options) {
		watched(t, store, s, o)
		if adapt != nil {
			adapt(s, o)
		}
	})
	w.near.Store(near)
	return w
}

// statusPaths are where the status is. The last goes on for ever for who may see it.
var statusPaths = []string{"/status", "/metrics", "/status.json", "/status/events"}

// TestStatusWithoutTokens: this machine alone sees the status, and no page of another site.
func TestStatusWithoutTokens(t *testing.T) {
	near := startWatched(t, true, nil)
	near.want("PUT", "/report.pdf", "hello", http.StatusCreated)
	a, text := near.do("GET", "/metrics", "")
	if a.Header.Get("Content-Type") != status.ContentType || !strings.Contains(text, `labnet_received_total{kind="upload",user=""} 1`) {
		t.Errorf("the metrics are %v: %s", a.Header, text)
	}
	a, text = near.do("GET", "/status", "")
	if csp := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || strings.Contains(csp, "unsafe") {
		t.Errorf("the page's policy is %s", csp)
	}
	if !strings.Contains(text, "<td>report.pdf</td>") {
		t.Errorf("the page is %s", text)
	}
	for path, accept := range map[string]string{"/status.json": "", "/status": "application/json"} {
		a, text := near.do("GET", path, "", "Accept: "+accept)
		if a.Header.Get("Content-Type") != "application/json" || !strings.Contains(text, `"name":"report.pdf","bytes":5`) {
			t.Errorf("%s is %s", path, text)
		}
	}
	near.want("GET", "/status/other", "", http.StatusNotFound)
	near.want("POST", "/status", "", http.StatusMethodNotAllowed)
	near.want("HEAD", "/status/events", "", http.StatusMethodNotAllowed)
	_, rebound := near.dial("GET /status HTTP/1.1\nHost: evil.example\n\n")
	if a, _ := answer(t, rebound, "GET"); a.StatusCode != http.StatusForbidden {
		t.Errorf("by another name: %v", a.Status)
	}
	for path, want := range map[string]int{"/status": http.StatusOK, "/metrics": http.StatusForbidden} { // a link, and no more
		near.want("GET", path, "", want, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")
	}
	for _, path := range statusPaths {
		near.want("GET", path, "", http.StatusForbidden, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")
		near.want("GET", path, "", http.StatusForbidden, "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors")
		if t.Failed() {
			return
		}
	}

	far := startWatched(t, false, nil)
	for _, path := range statusPaths {
		far.want("GET", path, "", http.StatusForbidden)
		if t.Failed() {
			return
		}
	}
	open := startWatched(t, false, func(_ *wire.Server, o *web.Options) { o.StatusForAll = true })
	open.want("GET", "/metrics", "", http.StatusOK)
	none := start(t, nil)
	none.want("GET", "/metrics", "", http.StatusNotFound)
}

// A watcher may see the status, and nothing else.
type watcher struct{ revoked atomic.Bool }

func (*watcher) Name() string  { return "watcher" }
func (w *watcher) Valid() bool { return !w.revoked.Load() }
func (w *watcher) Permit(op string) (wire.Store, error) {
	if op != "status" || w.revoked.Load() {
		return nil, &wire.Error{Code: wire.CodeForbidden, Text: "the watcher may not " + op}
	}
	return nil, nil
}

// TestStatusWithTokens: who may send sees nothing, who may see sends nothing, and a token
// that is revoked ends what is being watched.
func TestStatusWithTokens(t *testing.T) {
	t.Parallel()
	own, watching := certificate(t), &watcher{}
	w := startWatched(t, true, func(s *wire.Server, o *web.Options) {
		o.AnyName = true
		s.Certificate = func() (*tls.Certificate, error) { return own, nil }
		s.Authenticate = func(got string) (wire.Identity, bool) {
			if got == "the token of the watcher" {
				return watching, true
			}
			return alice{s.Store}, got == token
		}
	})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	do := func(method, path, token string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+w.addr+path, strings.NewReader("hello"))
		must(t, err)
		r.SetBasicAuth("", token)
		a, err := client.Do(r)
		must(t, err)
		return a
	}
	for _, test := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/metrics", "the token of the watcher", http.StatusOK},
		{"GET", "/status", "the token of the watcher", http.StatusOK},
		{"GET", "/status.json", "the token of the watcher", http.StatusOK},
		{"GET", "/metrics", token, http.StatusForbidden},
		{"GET", "/metrics", "another token of some length", http.StatusUnauthorized},
		{"GET", "/status", "", http.StatusUnauthorized},
		{"PUT", "/a", "the token of the watcher", http.StatusForbidden},
		{"POST", "/", "the token of the watcher", http.StatusUnsupportedMediaType},
	} {
		a := do(test.method, test.path, test.token)
		io.Copy(io.Discard, a.Body)
		a.Body.Close()
		if a.StatusCode != test.status {
			t.Errorf("%s %s with %q: %d, want %d", test.method, test.path, test.token, a.StatusCode, test.status)
		}
	}
	w.wantFiles()
	a := do("GET", "/status/events", "the token of the watcher")
	defer a.Body.Close()
	events := bufio.NewReader(a.Body)
	nextEvent(t, events)
	watching.revoked.Store(true)
	if _, err := io.Copy(io.Discard, events); err != nil {
		t.Errorf("the events end with %v", err)
	}
}

// nextEvent returns the data of the next event.
func nextEvent(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	must(t, err)
	end, err := r.ReadString('\n')
	must(t, err)
	data, ok := strings.CutPrefix(line, "data: ")
	if !ok || end != "\n" {
		t.Errorf("an event is %q%q", line, end)
	}
	return data
}

func (w *world) watch(t *testing.T) (*http.Response, *bufio.Reader) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+w.addr+"/status/events", nil)
	must(t, err)
	a, err := http.DefaultClient.Do(r)
	must(t, err)
	t.Cleanup(func() { a.Body.Close() })
	return a, bufio.NewReader(a.Body)
}

// TestWatchedForLong: who watches has nothing to send, and is not taken for a client that
// has stopped.
func TestWatchedForLong(t *testing.T) {
	t.Parallel()
	w := startWatched(t, true, func(s *wire.Server, o *web.Options) {
		o.IdleTimeout = 50 * time.Millisecond
		s.ProgressTimeout, s.IdleTimeout = 50*time.Millisecond, 50*time.Millisecond
	})
	_, events := w.watch(t)
	for range 2 {
		nextEvent(t, events)
	}
}

// TestStatusEvents: what is being received is seen to progress.
func TestStatusEvents(t *testing.T) {
	t.Parallel()
	w := startWatched(t, true, nil)
	_, events := w.watch(t)
	if first := nextEvent(t, events); !strings.Contains(first, "Nothing at the moment.") {
		t.Errorf("the first event is %s", first)
	}
	c, r := w.dial("PUT /big HTTP/1.1\nHost: localhost\nContent-Length: 10\n\nhello")
	for !strings.Contains(nextEvent(t, events), `[{"text":"big"},{"text":"127.0.0.1`) {
	}
	io.WriteString(c, "world")
	if a, text := answer(t, r, "PUT"); a.StatusCode != http.StatusCreated {
		t.Errorf("%v: %s", a.Status, text)
	}
	for !strings.Contains(nextEvent(t, events), `ago"},{"text":"big"},{"text":"10 B"}`) {
	}
}

// TestManyWatchers: there are not more than promised, and those who go make place.
func TestManyWatchers(t *testing.T) {
	w := startWatched(t, true, nil)
	var open []*http.Response
	for range 32 {
		a, events := w.watch(t)
		nextEvent(t, events)
		open = append(open, a)
	}
	a, _ := w.watch(t)
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("one more is answered %v", a.Status)
	}
	w.want("GET", "/metrics", "", http.StatusOK) // nobody else is held up
	for _, a := range open {
		a.Body.Close()
	}
	for { // the server finds out in its time
		a, _ := w.watch(t)
		if a.Body.Close(); a.StatusCode == http.StatusOK {
			break
		}
	}
}

// TestWatchedShutdown: a server that is told to stop does not wait for those who watch, of
// whom some read nothing.
func TestWatchedShutdown(t *testing.T) {
	w := startWatched(t, true, nil)
	for range 3 {
		_, events := w.watch(t)
		nextEvent(t, events)
	}
	w.dial("GET /status/events HTTP/1.1\nHost: localhost\n\n")
	must(t, w.server.Shutdown(context.Background()))
}

// TestRefusalsOverHTTP: each is told once, also of a client that is rejected.
func TestRefusalsOverHTTP(t *testing.T) {
	var told []string
	w := start(t, func(s *wire.Server, o *web.Options) {
		s.MaxConns = 1
		s.Refused = func(r wire.Refusal) { told = append(told, fmt.Sprint(r.Code, " ", r.Name)) }
	})
	_, idle := w.dial("GET /healthz HTTP/1.1\nHost: localhost\n\n")
	answer(t, idle, "GET")
	_, full := w.dial("PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhello")
	answer(t, full, "PUT")
	w.stop()
	if want := []string{"busy "}; !slices.Equal(told, want) {
		t.Errorf("told were %q, want %q", told, want)
	}
	told = nil
	w = start(t, func(s *wire.Server, o *web.Options) {
		s.Refused = func(r wire.Refusal) { told = append(told, fmt.Sprint(r.Code, " ", r.Name)) }
	})
	w.want("PUT", "/../a", "hello", http.StatusBadRequest)
	w.want("PUT", "/b", "hello", http.StatusBadRequest, "Repr-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")
	w.store.Fault = func(string) error { return errors.New("broken") }
	w.want("PUT", "/c", "hello", http.StatusInternalServerError)
	w.stop()
	if want := []string{"bad-name ../a", "mismatch b", "internal c"}; !slices.Equal(told, want) {
		t.Errorf("told were %q, want %q", told, want)
	}
}
