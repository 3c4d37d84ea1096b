package web_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// FuzzFront: whatever is sent, answers are HTTP, and what is stored has a name in the store.
func FuzzFront(f *testing.F) {
	for _, seed := range []string{
		"PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhello",
		"PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n",
		"PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 5\nRepr-Digest: sha-256=:AAAA:\nX-OC-Mtime: 1.5\n\nhello",
		"POST / HTTP/1.1\nHost: localhost\nContent-Length: 83\nContent-Type: multipart/form-data; boundary=x\n\n--x\nContent-Disposition: form-data; name=f; filename=a\n\nshort\n--x--",
		"POST / HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhelloGET /healthz HTTP/1.0\n\n",
		"POST /tus/ HTTP/1.1\nHost: localhost\nTus-Resumable: 1.0.0\nUpload-Length: 5\nUpload-Metadata: filename YQ==,mtime MQ==\n\n",
		"PATCH /tus/eyJuIjoiYSIsInMiOjUsImkiOiJ4In0 HTTP/1.1\nHost: localhost\nTus-Resumable: 1.0.0\nUpload-Offset: 0\nContent-Type: application/offset+octet-stream\nContent-Length: 3\n\nhel",
	} {
		f.Add(strings.ReplaceAll(seed, "\n", "\r\n"))
	}
	w := start(f, nil)
	f.Fuzz(func(t *testing.T, request string) {
		if !strings.HasPrefix(request, "P") && !strings.HasPrefix(request, "G") {
			return
		}
		c, err := net.Dial("tcp", w.addr)
		must(t, err)
		defer c.Close()
		io.WriteString(c, request)
		c.(*net.TCPConn).CloseWrite()
		r := bufio.NewReader(c)
		for {
			if first, err := r.Peek(5); err != nil || string(first) != "HTTP/" {
				break // the end, or the line was none of HTTP
			}
			a, err := http.ReadResponse(r, &http.Request{Method: strings.SplitN(request, " ", 2)[0]})
			if err != nil {
				return // to a later request that has no content, such as HEAD
			}
			io.Copy(io.Discard, a.Body)
			if a.StatusCode == http.StatusInternalServerError {
				t.Errorf("a failure of the server: %v", a.Header)
			}
		}
		for name := range w.store.Files() {
			if strings.HasPrefix(name, "/") || strings.Contains("/"+name+"/", "/../") {
				t.Errorf("%q was stored", name)
			}
		}
		if w.logged("panic") {
			t.Error("a panic")
		}
	})
}
