package interrupt

import (
	"errors"
	"os"
	"syscall"
)

var (
	// Stops are what Go makes of Ctrl-C and Ctrl-Break, and of the closing
	// of a console, a logoff and a shutdown.
	Stops       = []os.Signal{os.Interrupt, syscall.SIGTERM}
	streamStops = Stops
)

// mark is nothing: Windows has no signals to send to oneself.
const mark = syscall.Signal(-1)

func sendMark() error { return errors.ErrUnsupported }
