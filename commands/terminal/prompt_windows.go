package terminal

import (
	"os"

	"golang.org/x/sys/windows"
)

// newEditor returns nil unless what is typed is to be hidden: the console of Windows edits
// lines, and recalls them, by itself.
func newEditor(c *Console, _ Completer, hidden bool) editor {
	if !hidden || !c.Interactive() {
		return nil
	}
	return newSecretEditor(c)
}

// secretSignals are those that a secretEditor handles.
var secretSignals = []os.Signal{os.Interrupt}

func isContinue(os.Signal) bool { return false }

// hideTyping makes a console show nothing of what is typed, until restore is called, which
// also forgets what was typed and not read.
func hideTyping(f *os.File) (restore func()) {
	console := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(console, &mode) != nil {
		return func() {}
	}
	windows.SetConsoleMode(console, mode&^windows.ENABLE_ECHO_INPUT)
	return func() {
		windows.FlushConsoleInputBuffer(console)
		windows.SetConsoleMode(console, mode)
	}
}
