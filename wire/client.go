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
// Announce and AnnounceFolder only send the request, so that many can be under way
// at the same time; their answers can be awaited later, and by other goroutines.
// What they send may be buffered: call Flush before waiting for anything except
// Transfer.Send. All methods of a Client, and Transfer.Send, must be called by one
// goroutine at a time.
//
// The methods return an *Error if the server refused, a *SourceError if what was
// to be sent could not be read, a *ForeignError if the peer speaks another
// protocol, the context's error if that ended, and otherwise an error of the
// connection. Err says whether the conversation can continue after it.
type Client struct {
	// Set by NewClient.
	link    *link
	timeout time.Duration
	ended   chan struct{} // closed once nothing more is received

	heard atomic.Int64 // when the last reply came, in Unix nanoseconds

	// Owned by the goroutine that calls the methods.
	out   []byte // to be sent
	ahead ahead

	mu sync.Mutex
	// Guarded by mu.
	number   int                 // of the last announcement
	plain    []*pending          // texts and blobs, oldest first
	uploads  map[string]*pending // by number
	window   clientWindow
	greeting *pending // the request that shows a token; nil once it was answered
	ending   error    // why the server will end the connection
	broken   error    // why the connection cannot be used any more
}

// flushSize is how many bytes a Client buffers before it sends them.
const flushSize = 64 << 10

// NewClient takes over a connection, or what Encrypt returned. Nothing that the
// client waits for may take longer than timeout without progress; zero means
// DefaultProgressTimeout.
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

// Err returns why the server can be asked nothing new, or nil if the conversation
// can continue, after an error or a pause.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cmp.Or(c.broken, c.ending)
}

// Heard reports whether the server has sent anything.
func (c *Client) Heard() bool { return c.heard.Load() != 0 }

// Flush sends what is buffered.
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

// Ask is like Say but does not wait.
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

// Blob sends size bytes of r and returns what the server stored them as, after
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
// returns what the server stored it as. See Announce, Transfer.Send and
// Transfer.Saved.
func (c *Client) Upload(ctx context.Context, a Announcement, r io.Reader) (Saved, error) {
	t, err := c.Announce(ctx, a)
	if err != nil {
		return Saved{}, err
	}
	t.Send(ctx, r) // Saved returns an error again
	c.Flush(ctx)   // likewise
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
