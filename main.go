// Labnet receives text messages, blobs and files over TCP and keeps them, and
// sends them.
package main

import (
	"context"
	"os"

	"github.com/labnet/labnet/commands"
)

func main() {
	os.Exit(commands.Main(context.Background(), os.Args))
}
