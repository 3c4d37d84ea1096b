package terminal

import (
	"bufio"
	"io"
	"os"
	"os/signal"

	"github.com/labnet/labnet/commands/interrupt"
)

// A secretEditor reads lines that are not shown where the terminal itself edits them: on
// the console of Windows, and on terminals that cannot move their cursor.
type secretEditor struct {
	con     *Console
	in      *bufio.Reader
	signals chan os.Signal
	restore func() // nil before start
}

func newSecretEditor(c *Console) *secretEditor {
	return &secretEditor{con: c, in: bufio.NewReader(keys{c.In}), signals: make(chan os.Signal, 8)}
}

func (e *secretEditor) start() <-chan os.Signal {
	if e.restore == nil {
		signal.Notify(e.signals, secretSignals...)
		e.restore = hideTyping(e.con.In)
	}
	return e.signals
}

func (e *secretEditor) handle(s os.Signal) error {
	if isContinue(s) { // the shell may have shown what is typed again
		hideTyping(e.con.In)
		return nil
	}
	return interrupt.Error{Signal: s}
}

func (e *secretEditor) read(prompt string) entered {
	e.con.Prompt(prompt)
	line, err := ReadLine(e.in)
	if err == nil {
		e.con.Prompt("\n") // Enter was not shown either
	}
	return entered{line, err}
}

func (e *secretEditor) stop() {
	if e.restore != nil {
		e.restore()
		signal.Stop(e.signals)
	}
}

// keys reads keys byte by byte, so that those after the last line are left to
// whoever reads next.
type keys struct{ io.Reader }

func (k keys) Read(p []byte) (int, error) { return k.Reader.Read(p[:1]) }
