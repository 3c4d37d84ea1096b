package wire

import (
	"bufio"
	"io"
	"sync"
)

// buffers holds the read-ahead of connections that have something to read:
// one that is idle holds none.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readAhead) }}

// input is what a conn reads from. Before it may have to wait for the client,
// the client gets what it may be waiting for.
type input struct{ *conn }

func (in input) Read(p []byte) (int, error) {
	if err := in.out.flush(); err != nil {
		return 0, err
	}
	return in.link.Read(p)
}

// await returns the first byte of the next message without taking it, or
// io.EOF when the client ended the stream between two messages.
func (c *conn) await() (byte, error) {
	if c.r == nil || c.r.Buffered() == 0 {
		if err := c.sleep(); err != nil {
			return 0, err
		}
	}
	c.link.within(orDefault(c.srv.HeaderTimeout, DefaultHeaderTimeout))
	b, err := c.r.Peek(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// sleep waits for a byte. Meanwhile the connection holds no buffer, and
// Shutdown may close it unless a file is under way.
func (c *conn) sleep() error {
	c.releaseBuffer()
	if err := c.out.flush(); err != nil { // before Shutdown may close it
		return err
	}
	if !c.srv.setIdle(c, len(c.uploads) == 0) {
		return &Error{CodeShutdown, "the server is going down"}
	}
	c.link.within(orDefault(c.srv.IdleTimeout, DefaultIdleTimeout))
	var first [1]byte
	_, err := io.ReadFull(c.link, first[:])
	c.srv.setIdle(c, false)
	if err != nil {
		return err
	}
	c.link.unread = first[:]
	c.r = buffers.Get().(*bufio.Reader)
	c.r.Reset(input{c})
	return nil
}

func (c *conn) releaseBuffer() {
	if c.r != nil {
		c.r.Reset(nil)
		buffers.Put(c.r)
		c.r = nil
	}
}
