package commands

import (
	"context"

	"github.com/labnet/labnet/commands/access"
	"github.com/labnet/labnet/commands/hook"
	"github.com/labnet/labnet/commands/status"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// maxListedUsers bounds how many users the status lists.
const maxListedUsers = 1000

// watch has a board told of all that a server does and has.
func (o *serveOptions) watch(board *status.Board, srv *wire.Server, store keptStore, users *access.Doorkeeper, commands *hook.Executor) {
	board.Sources = status.Sources{
		Version: version(), Server: srv, Store: store,
		MaxPartials: o.keep.Partials.Count, MaxPartialBytes: o.keep.Partials.Bytes,
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
	if hidden := hiddenFolder(store); hidden != "" {
		known := func(user string) bool { return user == "" }
		if users != nil {
			known = users.Knows
		}
		if err := board.Resume(status.LastIn(hidden), known); err != nil {
			srv.Log.Warn().Err(err).Msg("cannot read when the last files came; that begins again")
		}
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
