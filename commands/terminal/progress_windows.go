package terminal

import (
	"io"
	"os"

	"golang.org/x/sys/windows"
)

// lineTerminal returns how to ask how many columns w has. It returns nil if w
// is no console that obeys control sequences.
func lineTerminal(w io.Writer) (columns func() int) {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	console := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(console, &mode) != nil ||
		windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) != nil {
		return nil
	}
	return func() int {
		var info windows.ConsoleScreenBufferInfo
		if windows.GetConsoleScreenBufferInfo(console, &info) != nil {
			return 0
		}
		return int(info.Window.Right - info.Window.Left + 1)
	}
}
