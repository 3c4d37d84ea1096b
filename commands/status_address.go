package commands

import (
	"net"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/status"
	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/wire"
)

// statusConns is how many connections there can be at an address for the status alone.
const statusConns = 64

// checkStatus fails if other machines would see the status at an address, unless they
// need a token, or that is what is wanted.
func (o *serveOptions) checkStatus(addr net.Addr) error {
	if !o.isExposed(addr) || o.access.insecure {
		return nil
	}
	return problem.New("other machines may reach it, and without TLS and tokens anyone there can look", "exposed",
		"add --tls and --tokens FILE, or choose 127.0.0.1; --insecure lets anyone look")
}

// statusFront returns what serves HTTP there.
func (o *serveOptions) statusFront(tokens bool, board *status.Board) *web.Front {
	options := o.frontOptions(o.http.status, tokens)
	options.Status, options.StatusOnly, options.StatusForAll = board, true, o.access.insecure
	return web.New(options)
}

// statusServer returns the server for it, which differs from the other one only in what it takes.
func (o *serveOptions) statusServer(srv *wire.Server, front *web.Front, board *status.Board) *wire.Server {
	limits := o.limits
	limits.MaxConns = min(limits.MaxConns, statusConns)
	return &wire.Server{
		Store: srv.Store, Certificate: srv.Certificate, Authenticate: srv.Authenticate,
		HTTP: front.Serve, HTTPOnly: true, Limits: limits, Refused: board.Refused, Log: srv.Log,
	}
}
