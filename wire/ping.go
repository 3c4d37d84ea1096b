package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// Ping asks over a fresh connection, or what Encrypt returned, whether a server program answers there: it
// ends its stream at once and waits until the program ends the other one,
// which no kernel does by itself. It closes the connection. The error is an
// *Error if the server says that it cannot keep anything; zero for timeout
// stands for DefaultProgressTimeout.
func Ping(ctx context.Context, nc net.Conn, timeout time.Duration) error {
	timeout = orDefault(timeout, DefaultProgressTimeout)
	l := linkOver(nc, timeout)
	defer l.Close()
	defer l.closeWhenDone(ctx)()
	l.within(timeout)
	if err := l.closeWrite(); err != nil {
		return cause(ctx, err)
	}
	text, err := readReply(bufio.NewReaderSize(l, readAhead))
	if err == nil {
		if ctl, bad := ParseControl(text); bad == nil && ctl.Word == wordError {
			return &Error{Code(ctl.Get("code")), ctl.Get("text")}
		}
	}
	// Whatever else a program said before it closed, it answered.
	if _, foreign := errors.AsType[*ForeignError](err); foreign || err == io.EOF {
		return nil
	}
	return cause(ctx, err)
}
