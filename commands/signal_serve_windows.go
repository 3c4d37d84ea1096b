package commands

import "os"

// otherSignals would end a server without a word. Windows has none.
var otherSignals []os.Signal
