package web_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

// TestSlow: a client that stops in the middle of anything does not keep its connection.
func TestSlow(t *testing.T) {
	for name, request := range map[string]string{
		"line":          "PUT /a HTTP/1.1\n",
		"header":        "PUT /a HTTP/1.1\nHost: localhost\nX",
		"file":          "PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 10\n\nshort",
		"chunk":         "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n5\nsh",
		"text":          "POST / HTTP/1.1\nHost: localhost\nContent-Length: 10\nContent-Type: text/plain\n\nshort",
		"form":          "POST / HTTP/1.1\nHost: localhost\nContent-Length: 1000\nContent-Type: multipart/form-data; boundary=x\n\n--x\nCont",
		"refused":       "PUT /../a HTTP/1.1\nHost: localhost\nContent-Length: 10\n\nshort",
		"body of a GET": "GET /healthz HTTP/1.1\nHost: localhost\nContent-Length: 10\n\nshort",
		"next":          "GET /healthz HTTP/1.1\nHost: localhost\n\nGET /healthz HT",
		"idle":          "GET /healthz HTTP/1.1\nHost: localhost\n\n",
		"tus":           "POST /tus/ HTTP/1.1\nHost: localhost\nTus-Resumable: 1.0.0\nUpload-Length: 10\nUpload-Metadata: filename YQ==\nContent-Type: application/offset+octet-stream\nContent-Length: 10\n\nshort",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(s *wire.Server, o *web.Options) {
				o.HeaderTimeout, o.IdleTimeout = 50*time.Millisecond, 50*time.Millisecond
				s.HeaderTimeout, s.ProgressTimeout = 50*time.Millisecond, 50*time.Millisecond
			})
			_, r := w.dial(request)
			if _, err := io.Copy(io.Discard, r); err != nil { // to the end
				t.Error(err)
			}
			w.stop()
			w.wantFiles()
		})
	}
}

// TestShutdown: a server that is told to stop closes the connections that wait, and lets
// a file come to its end.
func TestShutdown(t *testing.T) {
	w := start(t, nil)
	_, idle := w.dial("GET /healthz HTTP/1.1\nHost: localhost\n\n")
	answer(t, idle, "GET")
	begun := make(chan bool)
	w.store.Fault = func(step string) error {
		if step == storagetest.Create {
			close(begun)
		}
		return nil
	}
	c, busy := w.dial("PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 10\n\nhello")
	<-begun
	stopped := make(chan error)
	go func() { stopped <- w.server.Shutdown(context.Background()) }()
	if rest, _ := io.ReadAll(idle); len(rest) > 0 {
		t.Errorf("the idle connection got %q", rest)
	}
	io.WriteString(c, "world")
	if a, text := answer(t, busy, "PUT"); a.StatusCode != http.StatusCreated {
		t.Errorf("%v: %s", a.Status, text)
	}
	must(t, <-stopped) // though the client keeps its connection
	w.wantFiles("a", "helloworld")
}

// TestPanic: a panic of the store ends the connection, is logged, and leaves nothing that
// another connection would wait for.
func TestPanic(t *testing.T) {
	for _, step := range []string{storagetest.Create, storagetest.Write, storagetest.Publish} {
		t.Run(step, func(t *testing.T) {
			w := start(t, nil)
			fail := true
			w.store.Fault = func(s string) error {
				if s == step && fail {
					fail = false
					panic("a fault of the store")
				}
				return nil
			}
			tus := []string{"Tus-Resumable: 1.0.0", "Upload-Length: 5", "Upload-Metadata: filename YQ=="}
			url := ""
			if step != storagetest.Create {
				url = w.want("POST", "/tus/", "", http.StatusCreated, tus...).Header.Get("Location")
			}
			patch := append(tus, "Content-Type: application/offset+octet-stream", "Upload-Offset: 0")
			r, err := http.NewRequest("PATCH", "http://"+w.addr+url, strings.NewReader("hello"))
			must(t, err)
			if url == "" {
				r.Method, r.URL.Path = "PUT", "/a"
			}
			for _, h := range patch {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Set(name, value)
			}
			if a, err := http.DefaultClient.Do(r); err == nil {
				t.Errorf("it answered %v", a.Status)
			}
			if !w.logged("a fault of the store") {
				t.Error("it was not logged")
			}
			w.store.Fault = nil
			if url == "" || step == storagetest.Publish {
				return // the store in memory has the ID in use for ever
			}
			w.want("HEAD", url, "", http.StatusOK, tus...)
		})
	}
}

// TestStoreFails: what the store says is answered.
func TestStoreFails(t *testing.T) {
	w := start(t, nil)
	w.store.Fault = func(step string) error {
		if step == storagetest.Sync {
			return errors.New("the disk is broken")
		}
		return nil
	}
	w.want("GET", "/healthz", "", http.StatusOK)
	w.want("PUT", "/a", "hello", http.StatusInternalServerError)
	w.want("GET", "/healthz", "", http.StatusServiceUnavailable)
	w.wantFiles()
}

// TestRejected: a client that the server does not talk to learns it in HTTP.
func TestRejected(t *testing.T) {
	own := certificate(t)
	for name, test := range map[string]struct {
		adapt  func(*wire.Server)
		begin  string // of another connection
		times  int
		status int
		code   wire.Code
	}{
		"full":    {func(s *wire.Server) { s.MaxConns = 1 }, "GET /healthz HT", 1, http.StatusServiceUnavailable, wire.CodeBusy},
		"address": {func(s *wire.Server) { s.MaxConnsPerIP = 1 }, "GET /healthz HT", 1, http.StatusServiceUnavailable, wire.CodeBusy},
		"penalty": {func(*wire.Server) {}, "\x00", 6, http.StatusServiceUnavailable, wire.CodeBusy},
		"no TLS": {func(s *wire.Server) { s.Certificate = func() (*tls.Certificate, error) { return own, nil } }, "", 0,
			http.StatusBadRequest, wire.CodeTLSRequired},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, func(s *wire.Server, _ *web.Options) { test.adapt(s) })
			for range test.times {
				c, r := w.dial(test.begin)
				if name == "penalty" {
					io.Copy(io.Discard, r) // until it was charged for
				}
				defer c.Close()
			}
			_, r := w.dial("PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhello")
			a, text := answer(t, r, "PUT")
			if a.StatusCode != test.status || !a.Close || !strings.Contains(text, `"code":"`+string(test.code)+`"`) {
				t.Errorf("%v: %s", a.Status, text)
			}
			if (a.Header.Get("Retry-After") != "") != (test.code == wire.CodeBusy) {
				t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
			}
			w.wantFiles()
			if !w.logged("refused") {
				t.Error("it was not logged")
			}
		})
	}
}
