package wire

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
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
// With an ID, r must also be an io.Seeker, at its start. If the server has the
// beginning of the file from an earlier upload of the same ID, only the rest is
// sent, provided that the digest shows that beginning to be that of r. Its
// length is in Saved.Resumed, also beside an error.
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
		return Saved{}, errName
	}
	if _, again := r.(io.Seeker); a.ID != "" && (len(a.ID) > MaxID || IsControl(a.ID) || !again) {
		return Saved{}, errID
	}
	if err := c.write(ctx, AppendString(nil, text)); err != nil {
		return Saved{}, err
	}
	answer, err := c.next(ctx)
	if err != nil {
		return Saved{}, err
	}
	ok, err := c.expect(answer, wordOK)
	if err != nil {
		return Saved{}, err
	}
	left, err := ok.left(a)
	if err != nil {
		return Saved{}, c.fail(ctx, err)
	}
	digest, err := c.resume(ctx, a, r, &left)
	if err != nil {
		return Saved{Resumed: left.Size}, err
	}
	sum, err := c.sendContents(ctx, a, r, digest, left.Size)
	if err != nil {
		return Saved{Resumed: left.Size}, err
	}
	saved, err := c.saved(ctx, wordSaved, a.Digest, sum)
	saved.Resumed = left.Size
	return saved, err
}

// left reads from an OK what the server has left of an earlier upload.
func (c Control) left(a Announcement) (Sum, error) {
	offset, err := parseSize(c.Get("offset"))
	if err != nil || offset > 0 && (a.ID == "" || offset > a.Size) {
		return Sum{}, errReply
	}
	if offset == 0 {
		return Sum{}, nil
	}
	digest, err := hex.DecodeString(c.Get(a.Digest.Name))
	if err != nil || len(digest) != a.Digest.New().Size() {
		return Sum{}, errReply
	}
	return Sum{offset, digest}, nil
}

// MakeFolder has the server make a folder and those above it, and returns when
// they are durable.
func (c *Client) MakeFolder(ctx context.Context, name string) error {
	defer c.link.closeWhenDone(ctx)()
	text := Control{Word: name + "/"}.Text()
	if len(name) > MaxName || IsControl(name) || !utf8.ValidString(text) {
		return errName
	}
	if err := c.write(ctx, AppendString(nil, text)); err != nil {
		return err
	}
	answer, err := c.next(ctx)
	if err == nil {
		_, err = c.expect(answer, wordSaved)
	}
	return err
}

// control encodes an announcement.
func (a Announcement) control() Control {
	ctl := Control{Word: a.Name}
	if reserved[a.Name] {
		ctl.Word = namePrefix + a.Name
	}
	if a.ID != "" {
		ctl = ctl.with("id", a.ID)
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
