package web_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/wire"
)

// smuggled is a request that stands where a server in front may see contents.
const smuggled = "PUT /smuggled HTTP/1.1\nHost: localhost\nContent-Length: 1\n\nx"

// TestSmuggling: where two servers could see the end of a request in different places,
// what follows it is not taken for another one.
func TestSmuggling(t *testing.T) {
	for name, text := range map[string]string{
		"length and chunks":           "PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n" + smuggled,
		"chunks and length":           "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\nContent-Length: 5\n\n0\n\n" + smuggled,
		"chunks by another name":      "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: xchunked\n\n0\n\n" + smuggled,
		"chunks twice":                "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n0\n\n" + smuggled,
		"chunks with a tab":           "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding:\tchunked\x0b\n\n0\n\n" + smuggled,
		"a length in two lines":       "PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 0\nContent-Length: 63\n\n" + smuggled,
		"a length with a sign":        "PUT /a HTTP/1.1\nHost: localhost\nContent-Length: +0\n\n" + smuggled,
		"a length with a list":        "PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 0, 63\n\n" + smuggled,
		"a space before the colon":    "PUT /a HTTP/1.1\nHost: localhost\nContent-Length : 63\n\n" + smuggled,
		"a chunk with a sign":         "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n+0\n\n" + smuggled,
		"a chunk of a large size":     "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n10000000000000000\n\n" + smuggled,
		"a chunk without its end":     "PUT /a HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n1\nx0\n\n" + smuggled,
		"chunks in an older version":  "PUT /a HTTP/1.0\nHost: localhost\nTransfer-Encoding: chunked\n\n0\n\n" + smuggled,
		"a bare CR ends a line":       "PUT /a HTTP/1.1\nHost: localhost\nX: y\rContent-Length: 63\n\n" + smuggled,
		"a NUL in a header":           "PUT /a HTTP/1.1\nHost: localhost\nX: \x00\nContent-Length: 63\n\n" + smuggled,
		"refused, and not all of it":  "PUT /../a HTTP/1.1\nHost: localhost\nContent-Length: 1000000\n\n" + smuggled,
		"an upgrade":                  "PUT /a HTTP/1.1\nHost: localhost\nConnection: Upgrade\nUpgrade: h2c\nContent-Length: 63\n\n" + smuggled,
		"expects, and is refused":     "PUT /../a HTTP/1.1\nHost: localhost\nExpect: 100-continue\nContent-Length: 63\n\n" + smuggled,
		"expects something else":      "PUT /a HTTP/1.1\nHost: localhost\nExpect: 200-ok\nContent-Length: 63\n\n" + smuggled,
		"a GET with contents":         "GET /healthz HTTP/1.1\nHost: localhost\nContent-Length: 63\n\n" + smuggled,
		"contents of what is unknown": "BREW /a HTTP/1.1\nHost: localhost\nContent-Length: 63\n\n" + smuggled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(s *wire.Server, o *web.Options) {
				s.ProgressTimeout, o.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond
			})
			_, r := w.dial(text)
			io.Copy(io.Discard, io.LimitReader(r, 1<<20))
			w.stop()
			if _, there := w.store.Files()["smuggled"]; there {
				t.Error("it was taken for a request")
			}
		})
	}
}

// TestPipelining: requests that do not wait for answers get them in their order.
func TestPipelining(t *testing.T) {
	w := start(t, nil)
	var text strings.Builder
	for i := range 300 {
		text.WriteString([]string{
			"PUT /a HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhello",
			"GET /healthz HTTP/1.1\nHost: localhost\n\n",
			"PUT /../a HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhello",
		}[i%3])
	}
	_, r := w.dial(text.String())
	for i := range 300 {
		a, _ := answer(t, r, []string{"PUT", "GET", "PUT"}[i%3])
		want := []int{http.StatusOK, http.StatusOK, http.StatusBadRequest}[i%3]
		if i == 0 {
			want = http.StatusCreated
		}
		if a.StatusCode != want {
			t.Fatalf("request %d is answered %v, want %d", i, a.Status, want)
		}
	}
	w.wantFiles("a", "hello")
}

// TestDrip: a client that sends a header byte by byte, or without end, does not keep its
// connection, nor much memory.
func TestDrip(t *testing.T) {
	w := start(t, func(s *wire.Server, o *web.Options) {
		o.HeaderTimeout = 200 * time.Millisecond
		s.HeaderTimeout = 200 * time.Millisecond
	})
	closed := func(r *bufio.Reader) chan int64 {
		done := make(chan int64, 1)
		go func() {
			n, _ := io.Copy(io.Discard, r)
			done <- n
		}()
		return done
	}
	for name, start := range map[string]string{"first": "", "next": "GET /healthz HTTP/1.1\nHost: localhost\n\n"} {
		c, r := w.dial(start + "GET /healthz HTTP/1.1\nHost: localhost\nX: ")
		ended := closed(r)
		tick := time.NewTicker(10 * time.Millisecond)
		overdue := time.After(10 * time.Second)
		for dripping := true; dripping; {
			select {
			case <-ended:
				dripping = false
			case <-overdue:
				t.Fatalf("the %s request: it goes on", name)
			case <-tick.C:
				io.WriteString(c, "x")
			}
		}
		tick.Stop()
	}
	c, r := w.dial("GET /healthz HTTP/1.1\nHost: localhost\n")
	sent := 0
	for ; sent < 10<<20; sent += 64 << 10 {
		if _, err := io.WriteString(c, strings.Repeat("X: y\r\n", 64<<10/6)); err != nil {
			break
		}
	}
	if a, err := http.ReadResponse(r, nil); err == nil && a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers without end are answered %v", a.Status)
	}
	if sent >= 10<<20 {
		t.Error("headers without end are read")
	}
}
