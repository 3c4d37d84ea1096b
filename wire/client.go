package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Client holds a conversation with a server: any number of texts, blobs and
// files, one after the other. It is used by one goroutine at a time.
//
// Its methods return an *Error if the server refused, a *SourceError if what
// was to be sent could not be read, a *ForeignError if the peer speaks
// something else, the context's error if that ended, and otherwise an error
// of the connection. Usable tells whether the conversation can go on after it.
type Client struct {
	link    *link
	timeout time.Duration
	replies chan reply
	broken  error // why the connection cannot be used any more
}

// A reply is a String of the server or the end of its stream.
type reply struct {
	text string
	err  error
}

// NewClient takes over a connection. Nothing that the client waits for may
// take longer than timeout without progress; zero stands for
// DefaultProgressTimeout.
func NewClient(nc net.Conn, timeout time.Duration) *Client {
	timeout = orDefault(timeout, DefaultProgressTimeout)
	c := &Client{
		link:    &link{Conn: nc, writeStall: timeout},
		timeout: timeout,
		replies: make(chan reply, 1),
	}
	go c.listen()
	return c
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

// Close ends the conversation.
func (c *Client) Close() error {
	err := c.link.Close()
	for range c.replies { // until listen has ended
	}
	if errors.Is(err, net.ErrClosed) { // by fail, or with a context
		return nil
	}
	return err
}

// Usable reports whether the conversation can go on, after an error or a pause.
func (c *Client) Usable() bool {
	if c.broken != nil {
		return false
	}
	select {
	case r := <-c.replies: // nobody asked: the server ends the connection
		c.broken = orDefault(r.err, errReply)
	default:
	}
	return c.broken == nil
}

// Say sends a text, at most MaxString bytes of UTF-8 without NUL, and returns
// the reply.
func (c *Client) Say(ctx context.Context, text string) (string, error) {
	if len(text) > MaxString || IsControl(text) || !utf8.ValidString(text) {
		return "", &SourceError{fmt.Errorf("text is not valid UTF-8, has a NUL byte or is longer than %d bytes", MaxString)}
	}
	defer c.link.closeWhenDone(ctx)()
	if err := c.write(ctx, AppendString(nil, text)); err != nil {
		return "", err
	}
	answer, err := c.next(ctx)
	if err != nil || !IsControl(answer) {
		return answer, err
	}
	_, err = c.expect(answer, wordError)
	return "", err
}

// Blob sends size bytes of r and returns what the server kept them as, after
// comparing the digests.
func (c *Client) Blob(ctx context.Context, r io.Reader, size int64) (Saved, error) {
	if c.broken != nil {
		return Saved{}, c.broken
	}
	defer c.link.closeWhenDone(ctx)()
	sum, err := c.sendBlob(ctx, r, size)
	if err != nil {
		return Saved{}, err
	}
	return c.saved(ctx, wordOK, digests[0], sum)
}

// Upload sends the bytes of r, up to io.EOF, as the file that a announces and
// returns what the server kept it as, after comparing the digests. If the size
// was announced and r turns out to be longer or shorter, nothing is kept.
//
// A stream (a.Size < 0) is sent as it comes; its r may still be waiting in a
// Read when Upload returns with an error.
func (c *Client) Upload(ctx context.Context, a Announcement, r io.Reader) (Saved, error) {
	defer c.link.closeWhenDone(ctx)()
	if a.Digest.New == nil {
		a.Digest = digests[0]
	}
	text := a.control().Text()
	if len(a.Name) > MaxName || IsControl(a.Name) || !utf8.ValidString(text) {
		return Saved{}, &SourceError{fmt.Errorf("name is not valid UTF-8, has a NUL byte or is longer than %d bytes", MaxName)}
	}
	if err := c.write(ctx, AppendString(nil, text)); err != nil {
		return Saved{}, err
	}
	answer, err := c.next(ctx)
	if err == nil {
		_, err = c.expect(answer, wordOK)
	}
	if err != nil {
		return Saved{}, err
	}
	sum, err := c.sendContents(ctx, a, r)
	if err != nil {
		return Saved{}, err
	}
	return c.saved(ctx, wordSaved, a.Digest, sum)
}

// control encodes an announcement.
func (a Announcement) control() Control {
	ctl := Control{Word: a.Name}
	if reserved[a.Name] {
		ctl.Word = namePrefix + a.Name
	}
	if a.Size >= 0 {
		ctl = ctl.with("size", strconv.FormatInt(a.Size, 10))
	}
	if !a.ModTime.IsZero() {
		ctl = ctl.with("mtime", formatTime(a.ModTime))
	}
	if a.Mode != 0 {
		ctl = ctl.with("mode", fmt.Sprintf("%04o", a.Mode.Perm()))
	}
	if a.Digest.Name != digests[0].Name {
		ctl = ctl.with("digest", a.Digest.Name)
	}
	return ctl
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
