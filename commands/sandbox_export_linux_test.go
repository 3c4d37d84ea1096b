package commands

import (
	"io"

	"github.com/rs/zerolog"
)

// Confine has this process give up all rights but these, as serve does.
func Confine(log io.Writer, store string, reads []string, connects ...uint16) error {
	return sandbox{store, reads, connects}.confine(zerolog.New(log))
}

// LandlockVersion is what the kernel knows of Landlock.
func LandlockVersion() int { return landlockVersion() }
