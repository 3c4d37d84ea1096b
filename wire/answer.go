package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"
)

// A reply is a String of the server or the end of its stream.
type reply struct {
	text string
	err  error
}

// listen passes the server's replies on until its stream ends, and that too.
func (c *Client) listen() {
	defer close(c.replies)
	r := bufio.NewReaderSize(c.link, readAhead)
	for {
		text, err := readReply(r)
		c.replies <- reply{text, err}
		if err != nil {
			return
		}
	}
}

func readReply(r *bufio.Reader) (string, error) {
	h, err := ReadHeader(r)
	if err == nil && !h.IsString() {
		err = ErrType
	}
	var text string
	if err == nil {
		text, err = ReadString(r, h)
	}
	if errors.Is(err, ErrType) || errors.Is(err, ErrLength) || errors.Is(err, ErrUTF8) {
		got, _ := r.Peek(min(r.Buffered(), 64))
		err = &ForeignError{bytes.Clone(got)}
	}
	return text, err
}

// saved waits for the reply that contents are kept, and compares them.
func (c *Client) saved(ctx context.Context, word string, d Digest, sent Sum) (Saved, error) {
	answer, err := c.next(ctx)
	if err != nil {
		return Saved{}, err
	}
	ctl, err := c.expect(answer, word)
	if err != nil {
		return Saved{}, err
	}
	kept, err := ctl.sum(d)
	if err != nil {
		return Saved{}, c.fail(ctx, errReply)
	}
	if kept.Size != sent.Size || !bytes.Equal(kept.Digest, sent.Digest) {
		return Saved{}, c.fail(ctx, ErrKept)
	}
	return Saved{Name: ctl.Get("name"), Sum: kept, Unchanged: ctl.Get("unchanged") != ""}, nil
}

// expect decodes a reply of the given word, or returns the refusal that came
// in its place.
func (c *Client) expect(answer, word string) (Control, error) {
	ctl, err := ParseControl(answer)
	switch {
	case err != nil || ctl.Word != wordError && ctl.Word != word:
		c.broken = errReply
		return ctl, errReply
	case ctl.Word == wordError:
		e := &Error{Code(ctl.Get("code")), ctl.Get("text")}
		if e.Code.endsConnection() {
			c.broken = e
		}
		return ctl, e
	}
	return ctl, nil
}

// next waits for a reply. A server that says that it is at work gets more time.
func (c *Client) next(ctx context.Context) (string, error) {
	t := time.NewTimer(c.timeout)
	defer t.Stop()
	for {
		select {
		case r := <-c.replies:
			if r.err != nil {
				return "", c.fail(ctx, r.err)
			}
			if !r.isWait() {
				return r.text, nil
			}
			t.Reset(c.timeout)
		case <-t.C:
			return "", c.fail(ctx, errSilent)
		}
	}
}

func (r reply) isWait() bool { return strings.HasPrefix(r.text, wordWait+"\x00") }

// write sends bytes. If the connection fails, what the server said before it
// closed it is the better reason.
func (c *Client) write(ctx context.Context, b []byte) error {
	if c.broken != nil {
		return c.broken
	}
	_, err := c.link.Write(b)
	if err == nil {
		return nil
	}
	c.link.SetReadDeadline(time.Now().Add(lingerTime))
	for r := range c.replies {
		if r.err == nil && !r.isWait() {
			if _, refusal := c.expect(r.text, wordError); refusal != nil {
				c.broken = err
				return refusal
			}
		}
	}
	return c.fail(ctx, err)
}

// fail ends a conversation that cannot go on, and notes why.
func (c *Client) fail(ctx context.Context, err error) error {
	if err == io.EOF {
		err = ErrNoAnswer
	}
	c.broken = cause(ctx, err)
	c.link.Close()
	return c.broken
}
