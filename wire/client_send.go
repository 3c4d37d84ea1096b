package wire

import (
	"context"
	"errors"
	"hash"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	// chunkSize is the most bytes of one Data of a file. From 256 KiB on,
	// larger ones are hardly faster, and only between two can a client tell the
	// server that it gives up. Reading and writing them, with the next being read
	// meanwhile, takes less processor time than sendfile(2) and a second reader
	// for the digest (measured over loopback, where sendfile passes single pages),
	// and also works for TLS.
	chunkSize = 1 << 20
	// aliveInterval is how often a client whose source is slow sends an empty
	// Data, so that the server does not take it for dead.
	aliveInterval = 15 * time.Second
	// smallSize is the most bytes of a file for which a goroutine that reads ahead
	// is not worth while.
	smallSize = 32 << 10
)

var (
	errGrew   = errors.New("grew while it was read")
	errShrunk = errors.New("became shorter while it was read")
)

// sendSmall sends a small file and END. They are buffered with other requests.
func (t *Transfer) sendSmall(ctx context.Context, r io.Reader) (Sum, error) {
	c, n := t.client, int(t.Size)
	before := len(c.out)
	if n > 0 {
		c.out = DataHeader(uint64(n)).Append(c.out)
	}
	c.out = slices.Grow(c.out, n+1) // one more, to see whether r ends
	data := c.out[len(c.out) : len(c.out)+n+1]
	got, err := io.ReadFull(r, data)
	switch {
	case got > n:
		err = errGrew
	case err != io.EOF && err != io.ErrUnexpectedEOF:
	case got < n:
		err = errShrunk
	default:
		err = nil
	}
	if err != nil {
		c.out = c.out[:before]
		return Sum{}, t.cancel(ctx, &SourceError{err})
	}
	digest := t.Digest.New()
	digest.Write(data[:n])
	sum := Sum{t.Size, digest.Sum(nil)}
	c.out = endOf(t.Digest, sum).append(c.out[:len(c.out)+n])
	return sum, c.flushIfLarge(ctx)
}

// endOf is the END of contents.
func endOf(d Digest, s Sum) Control {
	return Control{Word: wordEnd, Fields: make([]Field, 0, 2)}.withSum(d, s)
}

// sendContents sends Data from the offset on, where r and digest are, until r
// ends, and END with the last of it.
func (t *Transfer) sendContents(ctx context.Context, r io.Reader, digest hash.Hash) (Sum, error) {
	c := t.client
	if err := c.flush(ctx); err != nil {
		return Sum{}, err
	}
	var sum Sum
	s := source{t.pending, r, t.Size - t.resumed.Size, true}
	err := s.each(ctx, func(ch chunk, sent int64) error {
		digest.Write(ch.data())
		var b []byte
		if ch.n > 0 {
			b = ch.after(DataHeader(uint64(ch.n)))
		}
		if ch.err == io.EOF {
			sum = Sum{t.resumed.Size + sent, digest.Sum(nil)}
			b = endOf(t.Digest, sum).append(b)
		}
		return c.write(ctx, b)
	})
	if err != nil {
		return Sum{}, t.cancel(ctx, err)
	}
	return sum, nil
}

// sendBlob sends one Data of size bytes.
func (c *Client) sendBlob(ctx context.Context, p *pending, r io.Reader, size int64) (Sum, error) {
	if err := c.flush(ctx); err != nil {
		return Sum{}, err
	}
	digest := digests[0].New()
	header := BlobHeader(uint64(size))
	var sum Sum
	s := source{p, io.LimitReader(r, size), size, false}
	err := s.each(ctx, func(ch chunk, sent int64) error {
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

// A source is what a request sends.
type source struct {
	*pending
	r       io.Reader
	size    int64 // expected; negative if unknown
	between bool  // the bytes are in messages of their own
}

// each calls do with each chunk of the source and the number of bytes up to its
// end, until the source ends. It stops early if the source is not of the expected
// size, or if the server refuses the rest. If the bytes are in messages of their
// own it shows the server, while the source is slow, that the client is alive.
// Otherwise the last byte of the message is the end: the answer may arrive before
// the source reports its end.
func (s source) each(ctx context.Context, do func(ch chunk, read int64) error) error {
	chunks := readChunks(s.r, s.size)
	defer chunks.stop()
	var alive <-chan time.Time
	if s.between {
		t := time.NewTicker(aliveInterval)
		defer t.Stop()
		alive = t.C
	}
	for read := int64(0); ; {
		select {
		case ch := <-chunks.ready:
			read += int64(ch.n)
			if err := ch.check(read, s.size); err != nil {
				return &SourceError{err}
			}
			err := do(ch, read)
			chunks.reuse(ch)
			if err != nil || ch.err == io.EOF || !s.between && read == s.size {
				return err
			}
		case <-alive:
			if err := s.client.write(ctx, DataHeader(0).Append(nil)); err != nil {
				return err
			}
		case early, ok := <-s.replies: // a refusal of the rest
			return s.refused(ctx, early, ok)
		}
	}
}

// refused returns the refusal that has arrived before all was sent.
func (p *pending) refused(ctx context.Context, early serverReply, ok bool) error {
	_, err := p.received(ctx, early, ok)
	if err == nil {
		_, err = p.client.expect(early, wordError)
	}
	return err
}

// chunks reads a source ahead, so that reading and sending overlap.
type chunks struct {
	ready chan chunk
	free  chan *chunkBuffer
	quit  chan struct{}
	done  chan struct{} // closed once nothing reads the source any more
	known bool          // the source has a size, so that its reads will return
}

// headroom is the space for a header before the contents. It is more than
// maxHeader so that they begin at a cache line: reading a file to another place
// takes three times as long (measured on x86-64).
const headroom = 64

// A chunkBuffer has space for a header before the contents, and an END after them.
type chunkBuffer [headroom + chunkSize + 256]byte

var chunkBuffers = sync.Pool{New: func() any { return new(chunkBuffer) }}

// A chunk is a part of a source.
type chunk struct {
	buf *chunkBuffer
	n   int
	err error // why nothing follows: io.EOF at the end
}

func (ch chunk) data() []byte { return ch.buf[headroom:][:ch.n] }

// after returns the contents with a header before them.
func (ch chunk) after(h Header) []byte {
	var space [maxHeader]byte
	header := h.Append(space[:0])
	start := headroom - len(header)
	copy(ch.buf[start:], header)
	return ch.buf[start : headroom+ch.n]
}

// check returns why the source is not what was announced, given that sent bytes of
// it have been read.
func (ch chunk) check(sent, size int64) error {
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
// whole chunks, one of unknown size (negative) as its bytes arrive. The caller must
// stop it.
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
		space := ch.buf[headroom:][:chunkSize]
		if c.known {
			ch.n, ch.err = io.ReadFull(r, space)
			if ch.err == io.ErrUnexpectedEOF {
				ch.err = io.EOF
			}
		} else {
			ch.n, ch.err = r.Read(space)
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
