package commands

import (
	"errors"
	"os"
	"syscall"
)

// otherSignals would end a server without a word. Windows has none.
var otherSignals []os.Signal

var (
	// stopSignals are what Go makes of Ctrl-C and Ctrl-Break, and of the closing
	// of a console, a logoff and a shutdown.
	stopSignals   = []os.Signal{os.Interrupt, syscall.SIGTERM}
	streamSignals = stopSignals
)

// mark is nothing: Windows has no signals to send to oneself.
const mark = syscall.Signal(-1)

func sendMark() error { return errors.ErrUnsupported }
