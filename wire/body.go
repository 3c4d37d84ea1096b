package wire

import (
	"fmt"
	"io"
)

// receive moves the size bytes of a Data to the store. The client may have handed
// all of a large one to its system long ago, and wait for the answer.
func (c *conn) receive(u *upload, size int64) error {
	if size > bufferSize {
		c.heart.begin()
		defer c.heart.end()
	}
	c.body = body{c: c, left: size}
	b := &c.body
	c.link.each(orDefault(c.srv.ProgressTimeout, DefaultProgressTimeout))
	_, err := u.to.ReadFrom(b)
	u.got += size - b.left
	switch {
	case b.err != nil:
		return fmt.Errorf("receive %q: %w", u.Name, b.err)
	case err != nil:
		c.fail(u, err)
	}
	return c.discard(uint64(b.left))
}

// discard reads past size bytes, so that the next message can be read.
func (c *conn) discard(size uint64) error {
	switch {
	case size == 0:
		return nil
	case size > maxDiscard:
		return errRefused
	}
	c.link.each(orDefault(c.srv.ProgressTimeout, DefaultProgressTimeout))
	_, err := io.Copy(io.Discard, &body{c: c, left: int64(size)})
	return err
}

// A body reads the contents of a Data: first what was read ahead, then, if it
// is much, from the connection straight into the reader's buffer. It ends in
// io.EOF only after the last byte.
type body struct {
	c    *conn
	left int64
	err  error // why the connection failed
}

func (b *body) Read(p []byte) (n int, err error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err = b.c.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && b.left > 0 {
		b.err = unexpected(err)
	}
	if b.err == nil {
		b.err = b.c.talk() // while it waited, the token may have been revoked
	}
	return n, b.err
}
