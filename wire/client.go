package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// A Client holds a conversation with a server: any number of texts, blobs and
// files.
//
// Say, Blob, Upload and MakeFolder do one thing and wait until it is done. Ask,
// Announce and AnnounceFolder only say what is wanted, so that many things are
// under way at once; their answers can be waited for later, and by other
// goroutines. What they send may be gathered: whoever waits for anything but
// Transfer.Send calls Flush first. All methods of a Client, and Transfer.Send,
// are used by one goroutine at a time.
//
// The methods return an *Error if the server refused, a *SourceError if what
// was to be sent could not be read, a *ForeignError if the peer speaks
// something else, the context's error if that ended, and otherwise an error
// of the connection. Err tells whether the conversation can go on after it.
type Client struct {
	// Set by NewClient.
	link    *link
	timeout time.Duration
	ended   chan struct{} // closed once nothing more is received

	out   []byte       // gathered to be sent; owned by the goroutine that uses the methods
	heard atomic.Int64 // when the last reply came, in Unix nanoseconds

	mu sync.Mutex
	// Guarded by mu.
	number   int                 // of the last announcement
	plain    []*pending          // texts and blobs, oldest first
	uploads  map[string]*pending // by number
	greeting *pending            // that shows a token; nil once it was answered
	ending   error               // why the server will end the connection
	broken   error               // why the connection cannot be used any more
}

// flushSize is how many bytes a Client sends at once, where it need not hurry.
const flushSize = 64 << 10

// NewClient takes over a connection, or what Encrypt returned. Nothing that the
// client waits for may take longer than timeout without progress; zero stands
// for DefaultProgressTimeout.
func NewClient(nc net.Conn, timeout time.Duration) *Client {
	timeout = orDefault(timeout, DefaultProgressTimeout)
	c := &Client{
		link:    linkOver(nc, timeout),
		timeout: timeout,
		ended:   make(chan struct{}),
		uploads: map[string]*pending{},
	}
	c.link.heard = &c.heard
	go c.listen()
	return c
}

// Close ends the conversation.
func (c *Client) Close() error {
	if c.failure() == nil {
		c.link.closeNotify()
	}
	err := c.link.Close()
	<-c.ended
	if errors.Is(err, net.ErrClosed) { // by fail, or with a context
		return nil
	}
	return err
}

// Err returns why nothing new can be asked of the server, or nil if the
// conversation can go on, after an error or a pause.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cmp.Or(c.broken, c.ending)
}

// Heard reports whether the server has said anything.
func (c *Client) Heard() bool { return c.heard.Load() != 0 }

// Flush sends what was gathered.
func (c *Client) Flush(ctx context.Context) error {
	defer c.link.closeWhenDone(ctx)()
	return c.flush(ctx)
}

// Say sends a text, at most MaxString bytes of UTF-8 without NUL, and returns
// the reply.
func (c *Client) Say(ctx context.Context, text string) (string, error) {
	q, err := c.Ask(ctx, text)
	if err == nil {
		err = c.Flush(ctx)
	}
	if err != nil {
		return "", err
	}
	return q.Answer(ctx)
}

// A Question is a text that was sent.
type Question struct{ *pending }

// Ask is Say that does not wait.
func (c *Client) Ask(ctx context.Context, text string) (Question, error) {
	if len(text) > MaxString || IsControl(text) || !utf8.ValidString(text) {
		return Question{}, &SourceError{fmt.Errorf("text is not valid UTF-8, has a NUL byte or is longer than %d bytes", MaxString)}
	}
	p, err := c.expectPlain()
	if err == nil {
		c.out = AppendString(c.out, text)
		err = c.flushIfLarge(ctx)
	}
	return Question{p}, err
}

// Answer waits for the reply. It may be called once, by any goroutine.
func (q Question) Answer(ctx context.Context) (string, error) {
	r, err := q.next(ctx)
	if err != nil || r.Word == "" {
		return r.text, err
	}
	_, err = q.client.expect(r, wordError)
	return "", err
}

// Blob sends size bytes of r and returns what the server kept them as, after
// comparing the digests.
func (c *Client) Blob(ctx context.Context, r io.Reader, size int64) (Saved, error) {
	p, err := c.expectPlain()
	if err != nil {
		return Saved{}, err
	}
	defer c.link.closeWhenDone(ctx)()
	sum, err := c.sendBlob(ctx, p, r, size)
	if err != nil {
		return Saved{}, p.reason(err)
	}
	return c.saved(ctx, p, wordOK, digests[0], sum)
}

// Upload sends the bytes of r, up to io.EOF, as the file that a announces and
// returns what the server kept it as. See Announce, Transfer.Send and
// Transfer.Saved.
func (c *Client) Upload(ctx context.Context, a Announcement, r io.Reader) (Saved, error) {
	t, err := c.Announce(ctx, a)
	if err != nil {
		return Saved{}, err
	}
	t.Send(ctx, r) // an error comes again
	c.Flush(ctx)   // and so does this
	return t.Saved(ctx)
}

// MakeFolder has the server make a folder and those above it, and returns when
// they are durable.
func (c *Client) MakeFolder(ctx context.Context, name string) error {
	t, err := c.AnnounceFolder(ctx, name, nil)
	if err == nil {
		err = c.Flush(ctx)
	}
	if err == nil {
		_, err = t.Saved(ctx)
	}
	return err
}
