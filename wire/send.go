package wire

import (
	"bytes"
	"context"
	"errors"
	"hash"
	"io"
	"sync"
	"time"
)

const (
	// chunkSize is the most bytes of one Data of a file. From 256 KiB on,
	// larger ones are hardly faster, and only between two can a client tell
	// the server that it gives up.
	chunkSize = 1 << 20
	// aliveInterval is how often a client whose source is slow sends an empty
	// Data, so that the server does not take it for dead.
	aliveInterval = 15 * time.Second
)

var (
	errGrew   = errors.New("grew while it was read")
	errShrunk = errors.New("became shorter while it was read")
)

// resume reads from r what the server has left of an earlier upload, and
// returns the digest so far. If the bytes are others, it has the server drop
// them: left is zero then, and r at its start again.
func (c *Client) resume(ctx context.Context, a Announcement, r io.Reader, left *Sum) (hash.Hash, error) {
	digest := a.Digest.New()
	if left.Size == 0 {
		return digest, nil
	}
	err := c.readSource(ctx, io.LimitReader(r, left.Size), left.Size, true, func(ch chunk, _ int64) error {
		digest.Write(ch.data())
		return nil
	})
	if err != nil {
		return nil, c.cancel(ctx, err)
	}
	if bytes.Equal(digest.Sum(nil), left.Digest) {
		return digest, nil
	}
	if _, err := r.(io.Seeker).Seek(0, io.SeekStart); err != nil {
		return nil, c.cancel(ctx, &SourceError{err})
	}
	*left = Sum{}
	digest.Reset()
	return digest, c.write(ctx, AppendString(nil, Control{Word: wordRestart}.Text()))
}

// sendContents sends Data from the offset on, where r and digest are, until r
// ends, and END with the last of it.
func (c *Client) sendContents(ctx context.Context, a Announcement, r io.Reader, digest hash.Hash, offset int64) (Sum, error) {
	var sum Sum
	err := c.readSource(ctx, r, a.Size-offset, true, func(ch chunk, sent int64) error {
		digest.Write(ch.data())
		var b []byte
		if ch.n > 0 {
			b = ch.after(DataHeader(uint64(ch.n)))
		}
		if ch.err == io.EOF {
			sum = Sum{offset + sent, digest.Sum(nil)}
			b = AppendString(b, Control{Word: wordEnd}.withSum(a.Digest, sum).Text())
		}
		return c.write(ctx, b)
	})
	if err != nil {
		return Sum{}, c.cancel(ctx, err)
	}
	return sum, nil
}

// sendBlob sends one Data of size bytes.
func (c *Client) sendBlob(ctx context.Context, r io.Reader, size int64) (Sum, error) {
	digest := digests[0].New()
	header := DataHeader(uint64(size))
	var sum Sum
	err := c.readSource(ctx, io.LimitReader(r, size), size, false, func(ch chunk, sent int64) error {
		digest.Write(ch.data())
		sum = Sum{sent, digest.Sum(nil)}
		if sent == int64(ch.n) { // the first
			return c.write(ctx, ch.after(header))
		}
		return c.write(ctx, ch.data())
	})
	if err != nil {
		// The header promised more: only the end of the stream takes it back.
		return Sum{}, c.fail(ctx, err)
	}
	return sum, nil
}

// readSource calls do with each chunk of r, and how many bytes that makes with
// those before it, until r ends. It ends early if r is not of the size that was
// meant (a negative one is any), or if the server refuses to go on. Between
// messages, where there is nothing to send for long, it shows the server that
// the client is alive. Inside one, its last byte is the end: the answer may come
// before r says that it has ended, too.
func (c *Client) readSource(ctx context.Context, r io.Reader, size int64, between bool, do func(ch chunk, read int64) error) error {
	chunks := readChunks(r, size)
	defer chunks.stop()
	var alive <-chan time.Time
	if between {
		t := time.NewTicker(aliveInterval)
		defer t.Stop()
		alive = t.C
	}
	for read := int64(0); ; {
		select {
		case ch := <-chunks.ready:
			read += int64(ch.n)
			if err := ch.trouble(read, size); err != nil {
				return &SourceError{err}
			}
			err := do(ch, read)
			chunks.reuse(ch)
			if err != nil || ch.err == io.EOF || !between && read == size {
				return err
			}
		case <-alive:
			if err := c.write(ctx, DataHeader(0).Append(nil)); err != nil {
				return err
			}
		case early := <-c.replies:
			if err := c.early(ctx, early); err != nil {
				return err
			}
		}
	}
}

// early looks at a reply that came before all was sent: the server refuses the
// rest, is at work, or is gone.
func (c *Client) early(ctx context.Context, r reply) error {
	if r.err != nil {
		return c.fail(ctx, r.err)
	}
	if r.isWait() {
		return nil
	}
	_, err := c.expect(r.text, wordError)
	return err
}

// cancel gives up the file that is being sent, because of err, so that the
// conversation can go on with the next.
func (c *Client) cancel(ctx context.Context, err error) error {
	_, told := errors.AsType[*Error](err)
	if c.broken != nil || c.write(ctx, AppendString(nil, Control{Word: wordCancel}.Text())) != nil {
		return err
	}
	if !told { // then the server answers
		if answer, lost := c.next(ctx); lost == nil {
			c.expect(answer, wordError)
		}
	}
	return err
}

// chunks reads a source ahead, so that reading and sending overlap.
type chunks struct {
	ready chan chunk
	free  chan *chunkBuffer
	quit  chan struct{}
	done  chan struct{} // closed when nothing reads the source any more
	known bool          // the size of the source, and so that its reads return
}

// A chunkBuffer has room for a header before, and for an END behind, the
// contents.
type chunkBuffer [maxHeader + chunkSize + 256]byte

var chunkBuffers = sync.Pool{New: func() any { return new(chunkBuffer) }}

// A chunk is some of a source.
type chunk struct {
	buf *chunkBuffer
	n   int
	err error // why nothing follows: io.EOF at the end
}

func (ch chunk) data() []byte { return ch.buf[maxHeader:][:ch.n] }

// after returns the contents with a header before them.
func (ch chunk) after(h Header) []byte {
	var room [maxHeader]byte
	header := h.Append(room[:0])
	start := maxHeader - len(header)
	copy(ch.buf[start:], header)
	return ch.buf[start : maxHeader+ch.n]
}

// trouble returns why the source cannot be what was announced, if sent bytes
// of it are known now.
func (ch chunk) trouble(sent, size int64) error {
	switch {
	case ch.err != nil && ch.err != io.EOF:
		return ch.err
	case size >= 0 && sent > size:
		return errGrew
	case ch.err == io.EOF && sent < size:
		return errShrunk
	}
	return nil
}

// readChunks reads r until it fails or ends. A source of known size is read in
// whole chunks, one of unknown size (negative) as its bytes come. The caller
// must stop it.
func readChunks(r io.Reader, size int64) *chunks {
	c := &chunks{
		ready: make(chan chunk, 1),
		free:  make(chan *chunkBuffer, 2),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
		known: size >= 0,
	}
	go c.read(r)
	return c
}

func (c *chunks) read(r io.Reader) {
	defer close(c.done)
	for i := 0; ; i++ {
		var ch chunk
		if i < cap(c.free) {
			ch.buf = chunkBuffers.Get().(*chunkBuffer)
		} else {
			select {
			case ch.buf = <-c.free:
			case <-c.quit:
				return
			}
		}
		room := ch.buf[maxHeader:][:chunkSize]
		if c.known {
			ch.n, ch.err = io.ReadFull(r, room)
			if ch.err == io.ErrUnexpectedEOF {
				ch.err = io.EOF
			}
		} else {
			ch.n, ch.err = r.Read(room)
		}
		select {
		case c.ready <- ch:
		case <-c.quit:
			return
		}
		if ch.err != nil {
			return
		}
	}
}

// reuse takes back the buffer of a chunk that was sent.
func (c *chunks) reuse(ch chunk) { c.free <- ch.buf }

// stop ends the reading of the source.
func (c *chunks) stop() {
	close(c.quit)
	if !c.known {
		return
	}
	<-c.done
	close(c.free)
	for buf := range c.free {
		chunkBuffers.Put(buf)
	}
}
