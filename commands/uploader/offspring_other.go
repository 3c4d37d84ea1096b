//go:build unix && !linux

package uploader

import "os"

// What a command has started is not known here. It ends when it writes to the pipe
// that nobody reads any more.

func adoptOrphans() {}

func offspring(int) []*os.Process { return nil }
