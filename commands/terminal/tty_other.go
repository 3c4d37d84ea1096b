//go:build !linux

package commands

import "os"

// A tty tells whether this process has a controlling terminal.
type tty struct{}

func openTTY() tty { return tty{} }

// attached reports whether the process has one. Windows has no such file.
func (tty) attached() bool {
	f, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	f.Close()
	return true
}
