package commands

import (
	"bytes"
	"time"

	"github.com/labnet/labnet/commands/check"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// explainerOf returns what prints what clients do.
func explainerOf(con *terminal.Console, task wire.Lab) *check.Explainer {
	return &check.Explainer{Task: task, Report: func(x check.Explanation) {
		x.Time, x.Seconds = terminal.Timestamp(), terminal.Seconds(time.Duration(x.Seconds*float64(time.Second)))
		if con.JSON {
			con.Write(terminal.Encode(x))
			return
		}
		var text bytes.Buffer
		x.Write(&text)
		con.Write(text.Bytes())
	}}
}

// follow has the explainer know what the server receives.
func follow(x *check.Explainer, srv *wire.Server) {
	told := srv.Received
	srv.Received = func(e wire.Event) {
		x.Received(e)
		if told != nil {
			told(e)
		}
	}
}
