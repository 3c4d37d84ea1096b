// Labnet receives text messages, blobs and files over TCP and keeps them, and
// sends them.
package main

import (
	"os"

	"github.com/labnet/labnet/commands"
)

func main() {
	ctx := commands.SignalContext()
	code := commands.Main(ctx, os.Args)
	commands.DieOfSignal(ctx)
	os.Exit(code)
}
