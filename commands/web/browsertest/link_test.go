package browsertest

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// A link is the network between the browser and a server: it may be slow, and has all
// that the browser sends.
type link struct {
	addr string
	to   atomic.Pointer[string] // what it leads to
	rate atomic.Int64           // bytes a second to the server; 0 is no limit
	sent output
}

// lay lays a link from an address to another.
func lay(t *testing.T, from, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", from)
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	l := &link{addr: listener.Addr().String()}
	l.to.Store(&to)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(c)
		}
	}()
	return l
}

func (l *link) carry(browser net.Conn) {
	defer browser.Close()
	server, err := net.Dial("tcp", *l.to.Load())
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(browser, server)
		browser.Close()
		server.Close()
	}()
	piece := make([]byte, 32<<10)
	for {
		n, err := browser.Read(piece)
		if _, failed := server.Write(piece[:n]); failed != nil || err != nil {
			return
		}
		l.sent.Write(piece[:n])
		if rate := l.rate.Load(); rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
	}
}
