package wire

import (
	"fmt"
	"io"
	"time"
)

// receive moves the size bytes of a Data to the store. The client may have handed
// all of a large one to its system long ago, and wait for the answer.
func (c *conn) receive(u *upload, size int64) error {
	if size > bufferSize {
		c.heart.begin()
		defer c.heart.end()
	}
	if u.begun.IsZero() {
		u.resumed = u.got
		c.srv.long.begin(u)
	}
	u.come.Store(u.got)
	c.body = c.newBody(size)
	b := &c.body
	b.of = u
	c.link.each(c.srv.limits.ProgressTimeout)
	_, err := u.to.ReadFrom(b)
	u.got += size - b.left
	switch {
	case b.err != nil:
		return u.because(b.err)
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
	c.link.each(c.srv.limits.ProgressTimeout)
	b := c.newBody(int64(size))
	_, err := io.Copy(io.Discard, &b)
	return err
}

// A body reads the contents of a Data: first what was read ahead, then, if it
// is much, from the connection straight into the reader's buffer. It ends in
// io.EOF only after the last byte.
type body struct {
	c    *conn
	left int64
	pace pace
	of   *upload // nil if they are discarded
	err  error   // why the connection failed
}

func (c *conn) newBody(size int64) body {
	return body{c: c, left: size, pace: pace{least: c.srv.limits.MinRate}}
}

func (b *body) Read(p []byte) (n int, err error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	begun := time.Now()
	n, err = b.c.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if b.of != nil {
		b.of.come.Add(int64(n))
	}
	inTime := b.pace.add(n, time.Since(begun))
	switch {
	case b.left == 0:
	case err != nil:
		b.err = unexpected(err)
	case !inTime:
		b.err = b.c.tooSlow()
	}
	if b.err == nil {
		b.err = b.c.talk() // while it waited, the token may have been revoked
	}
	return n, b.err
}

func (c *conn) tooSlow() error {
	return &Error{CodeTooSlow, fmt.Sprintf("less than %d bytes a second came for %v", c.srv.limits.MinRate, RateTime)}
}
