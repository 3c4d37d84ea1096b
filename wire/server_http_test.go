package wire_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

// httpRequests begin a connection as a browser may be made to by a web page.
func httpRequests() map[string]string {
	long := strings.Repeat("a", 1<<20)
	return map[string]string{
		"GET":                                 "GET / HTTP/1.1\r\nHost: lab\r\n\r\n",
		"POST":                                "POST / HTTP/1.1\r\nHost: lab\r\nOrigin: https://evil.example\r\nContent-Length: 6\r\n\r\nhello\n",
		"any method":                          "!#$%&'*+-.^_`|~ /a?b=c HTTP/1.0\r\n\r\n",
		"the only line":                       "GET / HTTP/1.1",
		"a bare LF":                           "GET / HTTP/1.1\n\n",
		"to a proxy":                          "GET http://lab/ HTTP/1.1\r\n\r\n",
		"CONNECT":                             "CONNECT lab:443 HTTP/1.1\r\n\r\n",
		"OPTIONS":                             "OPTIONS * HTTP/1.1\r\n\r\n",
		"HTTP/2":                              "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a line longer than texts":            "GET /" + long[:5000] + " HTTP/1.1\r\n\r\n",
		"a method likewise":                   long[:5000] + " / HTTP/1.1\r\n\r\n",
		"a line that is cut":                  "POST /" + long[:300],
		"a line cut before its version":       "POST /" + long[:300] + " HT",
		"a line longer than the buffer":       "POST /" + long + " HTTP/1.1\r\n\r\n",
		"a proxy's longer than the buffer":    "POST http://lab/" + long + " HTTP/1.1\r\n\r\n",
		"a method that is longer than it too": long + " / HTTP/1.1\r\n\r\n",
	}
}

// httpServers are those that could take a request for something else.
var httpServers = map[string]func(*world){
	"plain":      nil,
	"TLS":        overTLS(nil),
	"tokens":     func(w *world) { guarded(w.t)(w) },
	"lab 3":      task(wire.Lab3),
	"lab 4":      task(wire.Lab4),
	"lab 5":      task(wire.Lab5),
	"lab 6":      task(wire.Lab6),
	"lab extra":  task(wire.LabExtra),
	"full":       func(w *world) { w.server.MaxConns = 1; w.server.MaxConnsPerIP = 1 },
	"unreadable": func(w *world) { w.store.err = &wire.Error{Code: wire.CodeReadOnly, Text: "secret"} },
}

// wantHTTP checks that all that was heard is one answer in HTTP.
func wantHTTP(t *testing.T, method, heard string) {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(heard))
	answer, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Errorf("the server said %.200q: %v", heard, err)
		return
	}
	wantAnswer(t, answer)
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("the server went on with %q", rest)
	}
}

func wantAnswer(t *testing.T, answer *http.Response) {
	t.Helper()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.Request.Method != "HEAD" && !strings.Contains(string(body), "labnet, which does not speak HTTP") {
		t.Errorf("it says %q", body)
	}
	if answer.StatusCode != http.StatusNotImplemented || !answer.Close || answer.Header.Get("X-Content-Type-Options") != "nosniff" ||
		answer.Header.Get("Content-Type") != "text/plain; charset=utf-8" || answer.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("the answer is %v", answer)
	}
}

// TestHTTPRefused: nothing comes of an HTTP request, wherever and however cut it
// arrives.
func TestHTTPRefused(t *testing.T) {
	for server, adapt := range httpServers {
		for name, request := range httpRequests() {
			for _, piece := range []int{len(request), 1, 7} {
				if piece < len(request) && len(request) > 10_000 {
					continue
				}
				t.Run(fmt.Sprintf("%s, %s, by %d", server, name, piece), func(t *testing.T) {
					serve(t, func(w *world) {
						if adapt != nil {
							adapt(w)
						}
					}, func(w *world) {
						if server == "full" {
							defer w.dial().Close()
						}
						p := w.dial()
						if server == "TLS" || server == "tokens" {
							must(t, p.halfCloser.(*tls.Conn).Handshake())
						}
						for part := range slices.Chunk([]byte(request), piece) {
							if _, err := p.Write(part); err != nil {
								break // the server had enough
							}
						}
						time.Sleep(100 * time.Millisecond)
						wantHTTP(t, "GET", p.heard())
						p.wantClosed()
						w.wantDid()
						w.store.wantFiles(t, nil)
					})
				})
			}
		}
	}
}

// TestHTTPInTheClear: a server that requires TLS answers a request in the clear, too.
func TestHTTPInTheClear(t *testing.T) {
	serve(t, overTLS(nil), func(w *world) {
		near, far := newDuplex()
		w.l.accept <- far
		p := newPeer(t, near)
		go p.listen()
		p.send("HEAD / HTTP/1.1\r\n\r\n")
		heard := p.heard()
		wantHTTP(t, "HEAD", heard)
		if !strings.HasSuffix(heard, "\r\n\r\n") {
			t.Errorf("the answer to HEAD is %q", heard)
		}
		p.wantClosed()
		w.wantDid()
	})
}

// TestTextsLikeHTTP: what only resembles a request is a text, when its line ends,
// when the stream ends and when nothing more comes.
func TestTextsLikeHTTP(t *testing.T) {
	texts := []string{"GET", "POST", "GET well soon", "GET /", "GET / HTTP", "GET / HTTP/1.", "GET / HTTP/1.1 is how it begins", "HTTP/1.1",
		"I speak HTTP/x.y", "say HTTP/1.1", "speak HTTP/1.1 to me", " GET / HTTP/1.1", "GET  / HTTP/1.1", "(GET) / HTTP/1.1", "GET / http/1.1",
		"a", "hello world", "see /etc/passwd", "żółw", "key " + strings.Repeat("A", 3000), strings.Repeat("a", 4096)}
	for _, l := range []wire.Lab{0, wire.Lab3} {
		for _, text := range texts {
			for how, end := range map[string]func(p *peer){
				"line":    func(p *peer) { p.send("\nmore"); time.Sleep(100 * time.Millisecond) },
				"end":     func(p *peer) { must(t, p.CloseWrite()) },
				"silence": func(*peer) { time.Sleep(100 * time.Millisecond) },
			} {
				t.Run(fmt.Sprintf("%v, %.20s, %s", l, text, how), func(t *testing.T) {
					serve(t, task(l), func(w *world) {
						p := w.dial()
						p.send(text)
						end(p)
						want := text
						if how == "line" {
							want = (text + "\nmore")[:min(len(text)+5, 4096)]
						}
						p.hearBare("Message: " + want)
						p.wantClosed()
						w.wantDid("say " + want)
					})
				})
			}
		}
	}
}

// TestHTTPLog: a request is logged without a word of it, and not for ever.
func TestHTTPLog(t *testing.T) {
	var log lines
	serve(t, logged(&log), func(w *world) {
		for range 150 {
			p := w.dial()
			p.send("SECRET /secret HTTP/1.1\r\n\r\n")
			wantHTTP(t, "GET", p.heard())
			p.Close()
		}
		synctest.Wait()
		logged := log.take(t, "HTTP request refused")
		if len(logged) == 0 || len(logged) > 100 || strings.Contains(strings.ToLower(fmt.Sprint(logged)), "secret") {
			t.Errorf("logged %d lines, %v …", len(logged), logged[:min(len(logged), 1)])
		}
	})
}

// TestHTTPPenalty: requests cost their address what other errors do, and a page
// open in a browser of the server's machine locks nobody out there.
func TestHTTPPenalty(t *testing.T) {
	for ip, refused := range map[string]bool{"192.0.2.1": true, "127.0.0.1": false, "::1": false} {
		serve(t, nil, func(w *world) {
			for range 5 {
				p := w.dialFrom(ip)
				p.Write([]byte("POST / HTTP/1.1\r\n\r\n"))
				wantHTTP(t, "POST", p.heard())
				p.Close()
			}
			p := w.dialFrom(ip)
			if p.welcome() == refused {
				t.Errorf("after five requests %s is refused: %v, want %v", ip, !refused, refused)
			}
			p.Close()
		})
	}
}

// TestHTTPClient sends with net/http over TCP: the client gets the answer even
// while it has much to send.
func TestHTTPClient(t *testing.T) {
	big := strings.Repeat("x", 32<<20)
	for name, adapt := range map[string]func(*wire.Server){
		"plain": func(*wire.Server) {},
		"TLS":   encrypted,
		"tokens": func(s *wire.Server) {
			encrypted(s)
			s.Authenticate = func(string) (wire.Identity, bool) { return nil, false }
		},
		"lab 3":     func(s *wire.Server) { s.Lab = wire.Lab3 },
		"lab extra": func(s *wire.Server) { s.Lab = wire.LabExtra },
	} {
		t.Run(name, func(t *testing.T) {
			store := &store{}
			s, addr := listen(t, store, adapt, func(s *wire.Server) {
				s.Received = func(e wire.Event) { t.Errorf("received %+v", e) }
			})
			url := "http://" + addr + "/f?q"
			if s.Certificate != nil {
				url = "https://" + addr + "/f?q"
			}
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting(), DisableKeepAlives: true}}
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
				var body io.Reader
				if method == "POST" {
					body = strings.NewReader("hello")
				} else if method == "PUT" {
					body = strings.NewReader(big) // the client may read on after the answer
				}
				request, err := http.NewRequest(method, url, body)
				must(t, err)
				request.Header.Set("Origin", "https://evil.example")
				answer, err := client.Do(request)
				if err != nil {
					t.Errorf("%s: %v", method, err)
					continue
				}
				wantAnswer(t, answer)
			}
			store.wantFiles(t, nil)
		})
	}
}

// TestHTTPCut: a browser that gives up in the middle of a long line has sent no text.
func TestHTTPCut(t *testing.T) {
	store := &store{}
	heard := make(chan string, 1)
	_, addr := listen(t, store, func(s *wire.Server) { s.Received = func(e wire.Event) { heard <- e.Text } })
	nc := dialTCP(t, addr)
	_, err := io.WriteString(nc, "POST /"+strings.Repeat("a", 3000))
	must(t, err)
	must(t, nc.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(nc)
	must(t, errors.Join(err, nc.Close()))
	wantHTTP(t, "POST", string(answer))
	select {
	case text := <-heard:
		t.Errorf("received %q", text)
	default:
	}
}

// FuzzRequestLine compares what is recognised with a pattern, however the stream is cut.
func FuzzRequestLine(f *testing.F) {
	for _, request := range httpRequests() {
		f.Add([]byte(request[:min(len(request), 1000)]), 3)
	}
	for _, text := range []string{"", "GET well soon\n", "GET / HTTP/1.1 \r\n", "GET\t/ HTTP/1.1\n", "HTTP/1.1\n", "a b HTTP/1.11\n", "a  HTTP/1.1\n", "\n"} {
		f.Add([]byte(text), 1)
	}
	line := regexp.MustCompile("(?s)^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ \n]+ HTTP/[0-9]\\.[0-9][\r\n]")
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		http, known := wire.RequestLine(b)
		if pieces := slices.Collect(slices.Chunk(b, max(1, piece))); len(b) > 0 {
			if h, k := wire.RequestLine(pieces...); h != http || k != known {
				t.Errorf("in pieces of %d: %v, %v; whole %v, %v", piece, h, k, http, known)
			}
		}
		if want := line.Match(b); known && http != want || !known && want {
			t.Errorf("HTTP: %v, known: %v; want %v", http, known, want)
		}
		if first, _, ended := bytes.Cut(b, []byte("\n")); ended {
			if !known {
				t.Error("not known although the line ended")
			}
			if http && !bytes.Contains(first, []byte(" HTTP/")) {
				t.Error("HTTP without a version")
			}
		}
		if http && !known && len(b) < 256 && !regexp.MustCompile(` HTTP/[0-9]\.[0-9]$`).Match(b) {
			t.Error("a short line that was cut is HTTP")
		}
	})
}
