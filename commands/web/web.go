// Package web lets clients without labnet send by HTTP, on the server's own port: curl,
// browsers and what speaks tus. What they send goes the way of all else that the server
// receives; nothing can be read, listed or deleted.
package web

import (
	"context"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labnet/labnet/commands/status"
	"github.com/labnet/labnet/wire"
)

// maxHeader is how many bytes the header of a request may have.
const maxHeader = 16 << 10

// Options are those of a Front.
type Options struct {
	// Hosts are the names by which browsers may call the server, apart from localhost and
	// IP addresses: a page elsewhere could make a name of its own mean this server
	// (DNS rebinding).
	Hosts []string
	// AnyName accepts every name: for a server that requires a token, which no such page has.
	AnyName bool
	// HeaderTimeout and IdleTimeout are as in wire.Limits.
	HeaderTimeout, IdleTimeout time.Duration
	// PartialTTL is how long an interrupted upload is kept, or not positive if none is.
	PartialTTL time.Duration
	// Status, if set, is told to those who may see it: with a token those whose right it is,
	// without tokens those on this machine, or everybody with StatusForAll.
	// StatusOnly has nothing else be taken or told.
	Status       *status.Board
	StatusOnly   bool
	StatusForAll bool
	// Boot is different once the system was started again, or "" if that cannot be told.
	Boot string
}

// A Front serves the connections that a wire.Server hands over. Its methods are safe for
// concurrent use.
type Front struct {
	Options
	server   *http.Server
	guard    *http.CrossOriginProtection
	handed   chan net.Conn
	closed   chan struct{}
	serving  sync.WaitGroup
	done     doneList
	watchers watchers
}

// New returns a Front, which the caller must Close once no connection is handed over any
// more.
func New(o Options) *Front {
	f := &Front{Options: o, guard: http.NewCrossOriginProtection(), handed: make(chan net.Conn), closed: make(chan struct{})}
	f.server = &http.Server{
		Handler:           f,
		ReadHeaderTimeout: o.HeaderTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(discard{}, "", 0), // what clients do wrong is logged by package wire
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, handoverKey{}, c.(*handedOver).Handover)
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			switch state {
			case http.StateIdle:
				if c.(*handedOver).SetIdle(true) {
					c.Close()
				}
			case http.StateActive:
				c.(*handedOver).SetIdle(false)
			}
		},
	}
	f.serving.Go(func() { f.server.Serve(listener{f}) })
	return f
}

type handoverKey struct{}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// Serve serves a connection to its end.
func (f *Front) Serve(h *wire.Handover) {
	c := &handedOver{HalfCloser: h.Conn(), Handover: h, ended: make(chan struct{})}
	select {
	case f.handed <- c:
		<-c.ended
	case <-f.closed:
		c.Close()
	}
}

// Close ends the goroutine that waits for connections.
func (f *Front) Close() error {
	select {
	case <-f.closed:
	default:
		close(f.closed)
	}
	f.serving.Wait()
	return nil
}

// A listener gives an http.Server the connections that are handed over.
type listener struct{ front *Front }

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.front.handed:
		return c, nil
	case <-l.front.closed:
		return nil, net.ErrClosed
	}
}

func (listener) Addr() net.Addr { return &net.TCPAddr{} }
func (listener) Close() error   { return nil }

// A handedOver connection tells when net/http has closed it.
type handedOver struct {
	wire.HalfCloser
	*wire.Handover
	once  sync.Once
	ended chan struct{}
}

func (c *handedOver) Close() error {
	err := c.HalfCloser.Close()
	c.once.Do(func() { close(c.ended) })
	return err
}

// ServeHTTP answers a request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := r.Context().Value(handoverKey{}).(*wire.Handover)
	x := &exchange{ResponseWriter: w, r: r, h: h}
	defer func() {
		if p := recover(); p != nil {
			h.Panicked(p)
			panic(http.ErrAbortHandler) // ends the connection
		}
	}()
	// With chunks, net/http hides whether a length came, too: a server in front may have gone
	// by that, and what follows is not meant to be a request (RFC 9112, 6.1).
	if h.SetIdle(false) || len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close")
	}
	h.LimitBody()
	secure(w.Header())
	if why := h.Admit(tokenOf(r)); why != nil {
		x.fail(why, hints[why.Code])
		return
	}
	if !f.AnyName && !f.knows(r.Host) {
		x.fail(&wire.Error{Code: wire.CodeForbidden, Text: "this server is not called " + r.Host}, "name it with serve --http-host, or use its IP address")
		return
	}
	if err := f.guard.Check(r); err != nil {
		x.fail(&wire.Error{Code: wire.CodeForbidden, Text: "a page of another site must not send here"}, "")
		return
	}
	f.route(x)
}

// route finds out what a request asks for.
func (f *Front) route(x *exchange) {
	method, path := x.r.Method, x.r.URL.Path
	reads := method == http.MethodGet || method == http.MethodHead
	switch {
	case path == "/healthz" && reads:
		x.health()
	case f.Status != nil && isStatus(path) && reads:
		x.authorized(func() { f.status(x) })
	case f.StatusOnly && path == "/" && reads:
		http.Redirect(x, x.r, "/status", http.StatusSeeOther)
	case f.StatusOnly:
		x.problem(http.StatusNotFound, "not-found", "there is /status, /status.json, /metrics and /healthz", "")
	case path == "/" && reads:
		x.page()
	case path == "/whoami" && reads:
		x.whoami()
	case strings.HasPrefix(path, tusPath) && method != http.MethodPut:
		f.tus(x)
	case method == http.MethodPut:
		x.authorized(x.put)
	case method == http.MethodPost && path == "/":
		x.authorized(x.post)
	case path == "/":
		x.notAllowed("GET", "HEAD", "POST", "PUT")
	case reads:
		x.problem(http.StatusNotFound, "not-found", "nothing can be read here", "")
	default:
		x.notAllowed("PUT")
	}
}

// secure sets what keeps browsers from doing anything with an answer but showing it.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// knows reports whether a client may call the server by a name: a browser calls it by
// that of the page's address. Who gives no name is none.
func (f *Front) knows(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if _, err := netip.ParseAddr(host); err == nil || host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	return slices.ContainsFunc(f.Hosts, func(name string) bool { return strings.EqualFold(name, host) })
}
