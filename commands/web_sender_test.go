package commands_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
