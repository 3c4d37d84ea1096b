package web_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
)

// A cuttable is what a client sends, and the files that all of it makes.
type cuttable struct {
	requests []string // on one connection, each after the answer to the one before
	files    map[string]string
}

const twoFiles = "--x\nContent-Disposition: form-data; filename=a\n\nhello\n--x\nContent-Disposition: form-data; filename=b\n\nworld\n--x--\n"

var cuttables = map[string]cuttable{
	"length":  {[]string{"PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhello"}, map[string]string{"a": "hello"}},
	"chunked": {[]string{"PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n3\nhel\n2\nlo\n0\n\n"}, map[string]string{"a": "hello"}},
	"digest": {[]string{"PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 5\nRepr-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\n\nhello"},
		map[string]string{"a": "hello"}},
	"one after the other": {[]string{"PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 1\n\nx", "PUT /b HTTP/1.1\nHost: localhost\nContent-Length: 1\n\ny"},
		map[string]string{"a": "x", "b": "y"}},
	"form": {[]string{fmt.Sprintf("POST / HTTP/1.1\nHost: localhost\nContent-Length: %d\nContent-Type: multipart/form-data; boundary=x\n\n%s", len(wireForm(twoFiles)), twoFiles)},
		map[string]string{"a": "hello", "b": "world"}},
	"tus": {[]string{"POST /tus/ HTTP/1.1\nHost: localhost\nTus-Resumable: 1.0.0\nUpload-Length: 5\nUpload-Metadata: filename YQ==\nContent-Type: application/offset+octet-stream\nContent-Length: 5\n\nhello"},
		map[string]string{"a": "hello"}},
}

// TestEveryCut ends each connection after every one of its bytes, in both ways: no file
// is there that is not whole, and none was acknowledged that is not there.
func TestEveryCut(t *testing.T) {
	for name, c := range cuttables {
		for how, end := range map[string]func(*net.TCPConn) error{
			"stream ends": (*net.TCPConn).CloseWrite,
			"connection breaks": func(c *net.TCPConn) error {
				return errors.Join(c.SetLinger(0), c.Close())
			},
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				all := len(wireForm(strings.Join(c.requests, "")))
				for cut := range all + 1 {
					w := start(t, nil)
					acknowledged := w.sendCut(c.requests, cut, end)
					w.stop()
					files := w.store.Files()
					for name, got := range files {
						if string(got) != c.files[name] {
							t.Errorf("%s is %q", name, got)
						}
					}
					for _, name := range acknowledged {
						if _, there := files[name]; !there {
							t.Errorf("%s was acknowledged", name)
						}
					}
					if cut == all && how == "stream ends" && len(acknowledged) != len(c.files) {
						t.Errorf("acknowledged are %q of %d files", acknowledged, len(c.files))
					}
					if t.Failed() {
						t.Fatalf("when it is cut after %d bytes", cut)
					}
				}
			})
		}
	}
}

func wireForm(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// sendCut sends so many bytes of the requests, and returns the names of the files that
// are acknowledged.
func (w *world) sendCut(requests []string, cut int, end func(*net.TCPConn) error) (names []string) {
	nc, err := net.Dial("tcp", w.addr)
	must(w.t, err)
	defer nc.Close()
	c, r := nc.(*net.TCPConn), bufio.NewReader(nc)
	for _, request := range requests {
		text := wireForm(request)
		part := text[:min(cut, len(text))]
		if _, err := io.WriteString(c, part); err != nil {
			return names
		}
		if cut -= len(part); cut == 0 {
			must(w.t, end(c))
		}
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			return names
		}
		names = append(names, acknowledgedIn(w.t, a)...)
		if cut == 0 {
			return names
		}
	}
	return names
}

// acknowledgedIn returns the names of the files that an answer says are safe.
func acknowledgedIn(t testing.TB, a *http.Response) (names []string) {
	t.Helper()
	body, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusCreated && a.StatusCode != http.StatusOK && a.StatusCode != http.StatusNoContent {
		return nil
	}
	var receipts []struct{ Name string }
	if json.Unmarshal(body, &receipts) == nil {
		for _, r := range receipts {
			names = append(names, r.Name)
		}
		return names
	}
	if at := a.Header.Get("Content-Location"); at != "" {
		location, err := url.Parse(at)
		must(t, err)
		names = append(names, strings.TrimPrefix(path.Clean(location.Path), "/"))
	}
	return names
}

// TestTusEveryCut: however an upload is cut, it goes on where the server says, and becomes
// the same file.
func TestTusEveryCut(t *testing.T) {
	const contents = "hello, world"
	w := start(t, nil)
	for cut := range len(contents) {
		for split := range len(contents) {
			name := fmt.Sprintf("%d-%d", cut, split)
			at := w.create(name, len(contents))
			offset := 0
			for _, n := range []int{split, cut} {
				rest := contents[offset:]
				c, r := w.dial(fmt.Sprintf("PATCH %s HTTP/1.1\nHost: localhost\nTus-Resumable: 1.0.0\nUpload-Offset: %d\nContent-Type: application/offset+octet-stream\nContent-Length: %d\n\n%s",
					at, offset, len(rest), rest[:min(n, len(rest))]))
				must(t, c.(*net.TCPConn).CloseWrite())
				a, _ := answer(t, r, "PATCH")
				if whole := n >= len(rest); (a.StatusCode == http.StatusNoContent) != whole {
					t.Errorf("%s: %v", name, a.Status)
				}
				a = w.want("HEAD", at, "", http.StatusOK, tus)
				if _, err := fmt.Sscan(a.Header.Get("Upload-Offset"), &offset); err != nil || offset > len(contents) {
					t.Errorf("%s: the offset is %q", name, a.Header.Get("Upload-Offset"))
				}
			}
			if offset < len(contents) {
				if _, early := w.store.Files()[name]; early {
					t.Errorf("%s is there before its end", name)
				}
				w.patch(at, offset, contents[offset:], http.StatusNoContent)
			}
			if got := string(w.store.Files()[name]); got != contents {
				t.Errorf("%s is %q", name, got)
			}
		}
	}
}
