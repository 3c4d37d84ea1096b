//go:build !linux

package terminal

import "os"

// A TTY tells whether this process has a controlling terminal.
type TTY struct{}

func OpenTTY() TTY { return TTY{} }

// Attached reports whether the process has one. Windows has no such file.
func (TTY) Attached() bool {
	f, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	f.Close()
	return true
}
