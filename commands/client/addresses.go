package client

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"
)

// headStart is how long an address is tried before the next one is tried beside it, as
// in RFC 8305.
const headStart = 250 * time.Millisecond

// A dialed connection is one that proved to lead to the server, or why there is none.
type dialed struct {
	conn net.Conn
	addr string
	err  error
}

// DialAny is Dial that also returns which address it is. If none leads to the server, an
// error of one that leads to another counts more than those that do not answer.
func (o Options) DialAny(ctx context.Context) (conn net.Conn, addr string, err error) {
	trying, cancel := context.WithCancel(ctx)
	defer cancel()
	addrs := append([]string{o.Addr}, o.Others...)
	results := make(chan dialed)
	next, running := 0, 0
	begin := func() {
		if next < len(addrs) {
			one := o.at(addrs[next])
			next++
			running++
			go func() {
				conn, err := one.Dial(trying)
				results <- dialed{conn, one.Addr, err}
			}()
		}
	}
	begin()
	late := time.NewTicker(headStart)
	defer late.Stop()
	var found dialed
	var failed error
	for running > 0 {
		select {
		case <-late.C:
			if found.conn == nil {
				begin()
			}
		case r := <-results:
			running--
			switch {
			case r.err == nil && found.conn == nil:
				found = r
				cancel()
			case r.err == nil:
				r.conn.Close()
			case found.conn == nil:
				failed = worse(failed, r.err)
				begin()
			}
		}
	}
	switch {
	case found.conn != nil:
		return found.conn, found.addr, nil
	case ctx.Err() != nil:
		return nil, "", context.Cause(ctx)
	}
	if unreachable, ok := errors.AsType[*UnreachableError](failed); ok {
		return nil, "", &UnreachableError{strings.Join(addrs, ", "), unreachable.Err, unreachable.Lab}
	}
	return nil, "", failed
}

// worse returns the one of two errors that says more, or the first one.
func worse(a, b error) error {
	_, silent := errors.AsType[*UnreachableError](a)
	_, alsoSilent := errors.AsType[*UnreachableError](b)
	if a == nil || silent && !alsoSilent {
		return b
	}
	return a
}

// at returns the options for one address.
func (o Options) at(addr string) Options {
	o.Addr, o.Others = addr, nil
	if host, _, err := net.SplitHostPort(addr); err == nil && o.TLS != nil && o.TLS.ServerName != host {
		o.TLS = o.TLS.Clone()
		o.TLS.ServerName = host
	}
	return o
}
