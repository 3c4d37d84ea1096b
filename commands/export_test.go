package commands

import (
	"context"
	"io"
	"net"
	"os"
	"time"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/uploader"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// Keeper lets tests run a wire.Server on a storage.Store as serve does.
func Keeper(s storage.Store) wire.Store { return keeper{s} }

// Upload is the command of that name, with a token or "", over connections that
// connect makes.
func Upload(ctx context.Context, connect func(context.Context) (net.Conn, error), token string, args ...string) error {
	u := &uploader.Uploader{
		Con:     &terminal.Console{In: os.Stdin, Out: io.Discard, Err: io.Discard},
		Session: client.Session{Options: client.Options{Transport: connect, Token: token, Timeout: 30 * time.Second}},
		Options: uploader.Options{Digest: wire.Digests()[0]},
	}
	defer u.Close()
	return u.Upload(ctx, args)
}
