package wire

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"strconv"
	"time"
)

// A pending is a request that waits for its answers.
type pending struct {
	client *Client
	// replies holds all that may arrive, an OK and a final one. It is closed when
	// the connection ends.
	replies    chan serverReply
	answered   chan struct{} // closed at the first of them, or with replies
	isAnswered bool          // answered is closed; guarded by client.mu
}

// A serverReply is a String of the server. The Word of a text is empty.
type serverReply struct {
	text string
	Control
}

func newPending(c *Client) *pending {
	return &pending{client: c, replies: make(chan serverReply, 2), answered: make(chan struct{})}
}

// expectPlain notes a text or blob that is about to be sent.
func (c *Client) expectPlain() (*pending, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := cmp.Or(c.broken, c.ending); err != nil {
		return nil, err
	}
	p := newPending(c)
	c.plain = append(c.plain, p)
	return p, nil
}

// expectUpload notes an announcement that is about to be sent.
func (c *Client) expectUpload() (*pending, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := cmp.Or(c.broken, c.ending); err != nil {
		return nil, err
	}
	p := newPending(c)
	c.number++
	c.uploads[strconv.Itoa(c.number)] = p
	return p, nil
}

// listen delivers the server's replies until its stream ends, whether they are
// awaited or not: a server that cannot send stops receiving.
func (c *Client) listen() {
	defer close(c.ended)
	r := bufio.NewReaderSize(c.link, readAhead)
	for {
		text, err := readReply(r)
		if err == nil {
			c.heard.Store(time.Now().UnixNano())
			err = c.deliver(text)
		}
		if err != nil {
			c.hangUp(err)
			return
		}
	}
}

func readReply(r *bufio.Reader) (string, error) {
	h, err := readHeader(r, MaxReply)
	if err == nil && !h.IsString() {
		err = ErrType
	}
	var text string
	if err == nil {
		text, err = ReadString(r, h)
	}
	if errors.Is(err, ErrType) || errors.Is(err, ErrUTF8) {
		got, _ := r.Peek(min(r.Buffered(), 64))
		err = &ForeignError{bytes.Clone(got)}
	}
	return text, err
}

// deliver gives a reply to the request that it answers.
func (c *Client) deliver(text string) error {
	r := serverReply{text: text}
	if IsControl(text) {
		var err error
		if r.Control, err = ParseControl(text); err != nil || r.Word == "" {
			return errReply
		}
		if r.Word == wordWait { // it only counts as heard
			return nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := r.refusal(); e != nil && e.Code.EndsConnection() {
		c.ending = e
		if e.Code == CodeSuperseded && r.Get("upload") != "" {
			c.ending = ErrNoAnswer // the others may go on elsewhere
		}
	}
	p := c.addresseeLocked(r)
	if p != nil && p == c.greeting {
		c.greeting = nil
		return checkGreeting(r)
	}
	if p == nil {
		if c.ending != nil {
			return nil // it is about the connection, which ends now
		}
		return errReply
	}
	select {
	case p.replies <- r:
		p.wakeLocked()
		return nil
	default:
		return errReply
	}
}

// addresseeLocked returns the request that r answers, and forgets it after the last
// answer. Answers of a server that omits the numbers are taken in order.
func (c *Client) addresseeLocked(r serverReply) *pending {
	number := r.Get("upload")
	if number == "" && len(c.plain) > 0 {
		p := c.plain[0]
		c.plain = c.plain[1:]
		return p
	}
	for n := 1; number == "" && n <= c.number; n++ {
		s := strconv.Itoa(n)
		if p := c.uploads[s]; p != nil && !(r.Word == wordOK && p.isAnswered) {
			number = s
		}
	}
	p := c.uploads[number]
	c.window.noteLocked(number, r.Control)
	if r.Word != wordOK {
		delete(c.uploads, number)
	}
	return p
}

// refusal returns the refusal that r is, or nil.
func (r serverReply) refusal() *Error {
	if r.Word != wordError {
		return nil
	}
	return &Error{Code(r.Get("code")), r.Get("text")}
}

// hangUp ends all requests that await an answer, because of err.
func (c *Client) hangUp(err error) {
	if err == io.EOF {
		err = ErrNoAnswer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = cmp.Or(c.broken, c.ending, err)
	c.link.Close()
	for _, p := range c.plain {
		p.endLocked()
	}
	for _, p := range c.uploads {
		p.endLocked()
	}
	c.plain, c.uploads = nil, nil
}

// endLocked says that no more replies will arrive.
func (p *pending) endLocked() {
	close(p.replies)
	p.wakeLocked()
}

func (p *pending) wakeLocked() {
	if !p.isAnswered {
		p.isAnswered = true
		close(p.answered)
	}
}

// failure returns why the connection cannot be used any more, or nil.
func (c *Client) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// next waits for the next answer. A server that sends anything gets more time.
func (p *pending) next(ctx context.Context) (serverReply, error) {
	select {
	case r, ok := <-p.replies:
		return p.received(ctx, r, ok)
	default:
	}
	c := p.client
	defer c.link.closeWhenDone(ctx)()
	t := time.NewTimer(c.timeout)
	defer t.Stop()
	for {
		select {
		case r, ok := <-p.replies:
			return p.received(ctx, r, ok)
		case <-t.C:
			quiet := time.Since(time.Unix(0, c.heard.Load()))
			if quiet >= c.timeout {
				return serverReply{}, c.fail(ctx, ErrSilent)
			}
			t.Reset(c.timeout - quiet)
		}
	}
}

// received returns an answer, or why there is none.
func (p *pending) received(ctx context.Context, r serverReply, ok bool) (serverReply, error) {
	if !ok {
		return r, cause(ctx, p.client.failure())
	}
	return r, nil
}

// reason returns the server's refusal, if there is one, in place of an error of the
// connection.
func (p *pending) reason(err error) error {
	_, local := errors.AsType[*SourceError](err)
	_, refused := errors.AsType[*Error](err)
	if err == nil || local || refused {
		return err
	}
	select {
	case r := <-p.replies:
		if e := r.refusal(); e != nil {
			return e
		}
	default:
	}
	return err
}

// expect returns a reply of the given word, or the refusal that came in its
// place.
func (c *Client) expect(r serverReply, word string) (Control, error) {
	if e := r.refusal(); e != nil {
		return r.Control, e
	}
	if r.Word != word {
		return r.Control, c.fail(context.Background(), errReply)
	}
	return r.Control, nil
}

// saved waits for the reply that contents are stored, and compares size and digest.
func (c *Client) saved(ctx context.Context, p *pending, word string, d Digest, sent Sum) (Saved, error) {
	answer, err := p.next(ctx)
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
		c.fail(ctx, errReply) // for others, which may go on elsewhere
		return Saved{}, cause(ctx, ErrKept)
	}
	return Saved{Name: ctl.Get("name"), Sum: kept, Unchanged: ctl.Get("unchanged") != "", Compared: ctl.comparison()}, nil
}

// comparison reads from a SAVED how a file was found to be unchanged.
func (c Control) comparison() Comparison {
	switch {
	case c.Get("unchanged") == "":
		return ""
	case c.Get("compared") == "":
		return ComparedContents
	}
	return ComparedTimes // or less, in a later version
}

// flushIfLarge sends a buffer of flushSize bytes.
func (c *Client) flushIfLarge(ctx context.Context) error {
	if len(c.out) < flushSize {
		return nil
	}
	defer c.link.closeWhenDone(ctx)()
	return c.flush(ctx)
}

func (c *Client) flush(ctx context.Context) error {
	if len(c.out) == 0 {
		return cause(ctx, c.failure())
	}
	out := c.out
	c.out = c.out[:0]
	return c.write(ctx, out)
}

// write sends bytes. If the connection fails, what the server said before it
// closed it is the better reason.
func (c *Client) write(ctx context.Context, b []byte) error {
	if err := c.failure(); err != nil {
		return cause(ctx, err)
	}
	if c.ahead.files > 0 {
		c.noteSent()
	}
	_, err := c.link.Write(b)
	if err == nil {
		return nil
	}
	c.link.SetReadDeadline(time.Now().Add(lingerTime))
	<-c.ended
	if said := c.failure(); !timedOut(said) {
		err = said
	}
	return cause(ctx, err)
}

// fail ends a conversation that cannot continue, and notes why.
func (c *Client) fail(ctx context.Context, err error) error {
	err = cause(ctx, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = cmp.Or(c.broken, err)
	c.link.Close()
	return err
}
