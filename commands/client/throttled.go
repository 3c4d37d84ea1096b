package client

import (
	"net"

	"github.com/labnet/labnet/commands/bandwidth"
)

// limit returns conn with its writes limited, if there is a limit.
func limit(conn net.Conn, l *bandwidth.Limit) net.Conn {
	if l == nil {
		return conn
	}
	return &throttled{conn, l}
}

// A throttled connection sends no faster than its bandwidth.
type throttled struct {
	net.Conn
	bandwidth *bandwidth.Limit
}

// Write sends first and waits afterwards: a deadline that passes meanwhile finds
// that there was progress.
func (t *throttled) Write(p []byte) (n int, err error) {
	slice := t.bandwidth.Slice()
	for {
		m, err := t.Conn.Write(p[n:min(len(p), n+slice)])
		n += m
		t.bandwidth.Wait(m)
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// CloseWrite ends the stream to the peer, and closes a transport that cannot.
func (t *throttled) CloseWrite() error {
	if c, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return t.Close()
}
