package wire

import (
	"bufio"
	"io"
	"sync"
)

// buffers holds the read-ahead of connections that have something to read:
// one that is idle holds none.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}

const bufferSize = 32 << 10

// firstRead is how much an idle connection can take: many a message as a whole.
const firstRead = 512

// input is what a conn reads from. Before it may have to wait for the client,
// the client gets what it may be waiting for.
type input struct{ *conn }

func (in input) Read(p []byte) (int, error) {
	if len(in.link.unread) > 0 {
		return in.link.Read(p)
	}
	if err := in.out.wait(); err != nil {
		return 0, err
	}
	defer in.out.wake()
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
	c.link.within(c.srv.limits.HeaderTimeout)
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
	if len(c.uploads) == 0 {
		c.endUploads()
	}
	if err := c.out.wait(); err != nil { // before Shutdown may close it
		return err
	}
	c.out.release()
	c.link.deadline()
	c.srv.sleep(c, len(c.uploads) > 0)
	n, err := io.ReadAtLeast(&c.link, c.first[:], 1)
	closing := c.srv.wake(c)
	c.out.wake()
	switch {
	case closing && timedOut(err):
		return errShutdown
	case timedOut(err) && !c.isStranger():
		return errIdle
	}
	if err != nil {
		return err
	}
	c.link.unread = c.first[:n]
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
