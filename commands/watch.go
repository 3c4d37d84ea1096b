package commands

import (
	"context"
	"net"

	"github.com/labnet/labnet/commands/access"
	"github.com/labnet/labnet/commands/hook"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/status"
	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// maxListedUsers bounds how many users the status lists.
const maxListedUsers = 1000

// statusConns is how many connections there can be at an address for the status alone.
const statusConns = 64

// listenStatus listens where --status says, if it does.
func (o *serveOptions) listenStatus() ([]net.Listener, error) {
	if o.http.status == "" {
		return nil, nil
	}
	l, err := listenChecked(o.http.status, o.checkStatus)
	if err != nil {
		return nil, &listenError{"--status", o.http.status, err}
	}
	return []net.Listener{l}, nil
}

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

// statusServer returns the server for it, which is as the other one but for what it takes.
func (o *serveOptions) statusServer(srv *wire.Server, front *web.Front, board *status.Board) *wire.Server {
	limits := o.limits
	limits.MaxConns = min(limits.MaxConns, statusConns)
	return &wire.Server{
		Store: srv.Store, Certificate: srv.Certificate, Authenticate: srv.Authenticate,
		HTTP: front.Serve, HTTPOnly: true, Limits: limits, Refused: board.Refused, Log: srv.Log,
	}
}

// watch has a board told of all that a server does and has.
func (o *serveOptions) watch(board *status.Board, srv *wire.Server, store keptStore, users *access.Doorkeeper, commands *hook.Executor) {
	board.Sources = status.Sources{
		Version: version(), Server: srv, Store: store,
		MaxPartials: o.keep.MaxPartials, MaxPartialBytes: o.keep.MaxPartialBytes,
	}
	if folder, ok := store.(*dir.Store); ok {
		board.Room = folder.Room
	}
	if users != nil {
		board.Users = func(ctx context.Context) []status.User { return watchedUsers(ctx, users) }
	}
	if commands != nil {
		board.Runs = func() status.Runs { return status.Runs(commands.Counts()) }
	}
	srv.Refused, srv.Ended = board.Refused, board.Ended
	told := srv.Received
	srv.Received = func(e wire.Event) {
		board.Received(e)
		if told != nil {
			told(e)
		}
	}
}

func watchedUsers(ctx context.Context, users *access.Doorkeeper) []status.User {
	var list []status.User
	for _, u := range users.Uses(ctx, maxListedUsers) {
		list = append(list, status.User{Name: u.Name, Seen: u.Seen, Used: u.Used, Counted: u.Counted, MaxBytes: u.MaxBytes, MaxFiles: u.MaxFiles})
	}
	return list
}
