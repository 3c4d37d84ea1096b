package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// labGrace is how long a client waits for the server to close its side, so that
// nothing sent is lost.
const labGrace = 2 * time.Second

// A LabClient speaks one task of the course to a program written in it. No
// task acknowledges contents, so nothing that it sends is known to be stored.
// It must be used by one goroutine.
type LabClient struct {
	// Scheme is how sizes and names are written. It must not change after the first call.
	Scheme LabScheme

	task   Lab
	link   *link
	ending error // how an answer ended that has come
}

// NewLabClient takes over a connection. No reply or write may take longer
// than timeout; zero means DefaultProgressTimeout.
func NewLabClient(nc net.Conn, task Lab, timeout time.Duration) *LabClient {
	timeout = orDefault(timeout, DefaultProgressTimeout)
	return &LabClient{task: task, link: &link{Conn: nc, readStall: timeout, writeStall: timeout}}
}

// Say sends a text of at most MaxString bytes and returns the reply, which
// only Task 3 has. In Task 3 it can be called once.
func (c *LabClient) Say(ctx context.Context, text string) (reply string, err error) {
	defer func() { err = cause(ctx, err) }()
	defer c.link.closeWhenDone(ctx)()
	if c.task != Lab3 {
		_, err := c.link.Write(append([]byte{typeString}, text...))
		return "", err
	}
	if _, err := c.link.Write([]byte(text)); err != nil {
		return "", err
	}
	c.link.closeWrite()   // if that fails, an answer may have come all the same
	const most = 64 << 10 // a reply repeats the text
	b := make([]byte, most)
	n, err := c.link.Read(b)
	for err == nil && n < most {
		c.link.readStall = min(c.link.readStall, labGrace) // the answer is there: the end may follow
		var more int
		more, err = c.link.Read(b[n:])
		n += more
	}
	switch {
	case n > 0 && err != io.EOF:
		c.ending = err
	case n == 0 && err == io.EOF:
		return "", ErrNoAnswer
	case n == 0:
		return "", err
	}
	return string(b[:n]), nil
}

// Ending returns why the connection did not end as the task has it after the answer
// that Say returned, or nil.
func (c *LabClient) Ending() error { return c.ending }

// Blob sends size bytes of r. In Task 4, where the end of the connection is
// the end of the bytes, it must be the last call.
func (c *LabClient) Blob(ctx context.Context, r io.Reader, size int64) (err error) {
	defer func() { err = cause(ctx, err) }()
	defer c.link.closeWhenDone(ctx)()
	w := bufio.NewWriterSize(c.link, readAhead) // header and contents leave together
	if c.task == Lab4 {
		w.WriteByte(typeData1)
	} else {
		if uint64(size) > c.Scheme.Most() {
			return fmt.Errorf("%d bytes are too many for a size of %d bytes", size, c.Scheme.SizeBytes)
		}
		w.Write(c.Scheme.AppendSize(nil, uint64(size)))
	}
	chunks := readChunks(io.LimitReader(r, size), size)
	defer chunks.stop()
	for sent := int64(0); sent < size; {
		ch := <-chunks.ready
		sent += int64(ch.n)
		if err := ch.check(sent, size); err != nil {
			return &SourceError{err}
		}
		if _, err := w.Write(ch.data()); err != nil {
			return err
		}
		chunks.reuse(ch)
	}
	return w.Flush()
}

// Upload announces a name, waits for the server's "OK" and sends size bytes
// of r. In Task 6 it can be called once.
func (c *LabClient) Upload(ctx context.Context, name string, r io.Reader, size int64) (err error) {
	defer func() { err = cause(ctx, err) }()
	defer c.link.closeWhenDone(ctx)()
	if _, err := c.link.Write(c.Scheme.AppendText(nil, name)); err != nil {
		return err
	}
	var reply [512]byte
	n, err := io.ReadAtLeast(c.link, reply[:], len(wordOK))
	switch got := reply[:n]; {
	case err == io.EOF:
		return ErrNoAnswer
	case err != nil && err != io.ErrUnexpectedEOF:
		return err
	case string(bytes.TrimSpace(got)) != wordOK:
		return &Error{CodeUnsupported, fmt.Sprintf("the server answered %q in place of OK", got)}
	}
	return c.Blob(ctx, r, size)
}

// Close ends the stream, so that the server sees the end of what was sent,
// and waits a moment for the server to end it too.
func (c *LabClient) Close() error {
	_, err := c.link.finish(labGrace)
	if err == io.EOF || timedOut(err) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
