package commands_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A webSender sends by HTTP, over a connection of its own.
type webSender struct {
	addr   string
	client *http.Client
}

func newWebSender(addr string) *webSender {
	return &webSender{addr, &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}}
}

func (s *webSender) close() { s.client.CloseIdleConnections() }

// do sends a request, and returns the headers of the answer if that is well.
func (s *webSender) do(ctx context.Context, method, path string, body []byte, headers ...string) (http.Header, error) {
	u := url.URL{Scheme: "http", Host: s.addr, Path: path}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, a.Status, text)
	}
	return a.Header, err
}

// savedAs returns the name of the file that an answer says is safe.
func savedAs(h http.Header) (string, error) {
	location, err := url.Parse(h.Get("Content-Location"))
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(location.Path, "/"), nil
}

// put sends a file, and returns the name that it was stored under.
func (s *webSender) put(ctx context.Context, name string, contents []byte) (string, error) {
	h, err := s.do(ctx, "PUT", "/"+name, contents)
	if err != nil {
		return "", err
	}
	return savedAs(h)
}

// A tusUpload is a file that is sent by tus.
type tusUpload struct {
	at       string // "" until the server has told
	contents []byte
}

// tus sends a file in pieces, and returns the name that it was stored under.
func (s *webSender) tus(ctx context.Context, name string, u *tusUpload, pieces int) (string, error) {
	sum := sha256.Sum256(u.contents)
	base64 := base64.StdEncoding.EncodeToString
	h, err := s.do(ctx, "POST", "/tus/", nil, "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(len(u.contents)),
		"Upload-Metadata", fmt.Sprintf("filename %s,sha256 %s", base64([]byte(name)), base64(fmt.Appendf(nil, "%x", sum))))
	if err != nil {
		return "", err
	}
	u.at = h.Get("Location")
	offset := 0
	for piece := range pieces {
		end := len(u.contents) * (piece + 1) / pieces
		if h, err = s.patch(ctx, u, offset, end); err != nil {
			return "", err
		}
		offset = end
	}
	return savedAs(h)
}

func (s *webSender) patch(ctx context.Context, u *tusUpload, from, to int) (http.Header, error) {
	return s.do(ctx, "PATCH", u.at, u.contents[from:to], "Tus-Resumable", "1.0.0", "Upload-Offset", strconv.Itoa(from),
		"Content-Type", "application/offset+octet-stream")
}

// resume sends what is missing of a file, and returns the name that it was stored under.
func (s *webSender) resume(ctx context.Context, u *tusUpload) (name string, had int, err error) {
	h, err := s.do(ctx, "HEAD", u.at, nil, "Tus-Resumable", "1.0.0")
	if err != nil {
		return "", 0, err
	}
	if had, err = strconv.Atoi(h.Get("Upload-Offset")); err == nil && had < len(u.contents) {
		h, err = s.patch(ctx, u, had, len(u.contents))
	}
	if err != nil {
		return "", had, err
	}
	name, err = savedAs(h)
	return name, had, err
}

// An ending notes what clients are told until all ends, at the very moment at which one is
// told something.
type ending struct {
	at  int          // the acknowledgement that it follows
	end func() error // ends all

	mu           sync.Mutex
	over         bool
	acknowledged map[string][sha256.Size]byte // contents by name
}

// isOver reports whether it has come. It waits for one that is on its way.
func (e *ending) isOver() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.over
}

// keep notes what a client was told, and at some time ends all. What is told while that
// goes on does not count: nobody knows which came first.
func (e *ending) keep(t *testing.T, name string, sum [sha256.Size]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	if _, twice := e.acknowledged[name]; twice {
		t.Errorf("two files are saved as %q", name)
	}
	if e.acknowledged == nil {
		e.acknowledged = map[string][sha256.Size]byte{}
	}
	e.acknowledged[name] = sum
	if len(e.acknowledged) == e.at {
		if err := e.end(); err != nil {
			t.Error("it does not end: ", err)
		}
		e.over = true
	}
}

// signed makes random contents, most of them small and no two the same, that
// begin with the SHA-256 of the rest: so a file that nobody was told of can be
// seen to be torn.
func signed(random *rand.Rand) []byte {
	contents := make([]byte, sha256.Size+16+random.IntN(1<<random.IntN(18)))
	rest := contents[sha256.Size:]
	for i := range rest {
		rest[i] = byte(random.Uint32())
	}
	resign(contents)
	return contents
}

func resign(contents []byte) {
	sum := sha256.Sum256(contents[sha256.Size:])
	copy(contents, sum[:])
}

func isSigned(contents []byte) bool {
	if len(contents) < sha256.Size {
		return false
	}
	sum := sha256.Sum256(contents[sha256.Size:])
	return bytes.Equal(sum[:], contents[:sha256.Size])
}
