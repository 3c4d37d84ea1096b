package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// Ping checks that a server program answers on a fresh connection, or on what
// Encrypt returned: it ends its stream at once and waits until the program ends the
// other one, which no kernel does by itself. It closes the connection. The error is
// an *Error if the server says that it cannot store anything. A timeout of zero
// means DefaultProgressTimeout.
func Ping(ctx context.Context, nc net.Conn, timeout time.Duration) error {
	return PingAs(ctx, nc, "", timeout)
}

// PingAs is like Ping but shows a token first, unless it is empty. A server that
// requires a token tells its state only to clients that have one. A token is never
// sent in the clear.
func PingAs(ctx context.Context, nc net.Conn, token string, timeout time.Duration) error {
	timeout = orDefault(timeout, DefaultProgressTimeout)
	l := linkOver(nc, timeout)
	defer l.Close()
	defer l.closeWhenDone(ctx)()
	l.limitTotal(timeout)
	if token != "" {
		if l.tls == nil || !isToken(token) {
			return errToken
		}
		if _, err := l.Write(authOf(token).append(nil)); err != nil {
			return cause(ctx, err)
		}
	}
	if err := l.closeWrite(); err != nil {
		return cause(ctx, err)
	}
	r := bufio.NewReaderSize(l, readAhead)
	text, err := readReply(r)
	if ctl, bad := ParseControl(text); err == nil && bad == nil && ctl.Word == wordOK && token != "" {
		text, err = readReply(r)
	} else if token != "" && err == io.EOF {
		err = ErrNoAnswer
	}
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
