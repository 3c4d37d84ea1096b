package wire

import (
	"bufio"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// errRefused ends a connection that cannot continue after a refusal, which the
// client has been sent.
var errRefused = errors.New("refused")

var (
	errIdle     = &Error{CodeTimeout, "nothing was received for too long"}
	errShutdown = &Error{CodeShutdown, "the server is shutting down"}
)

// A phase is how much of a conversation has taken place. With the first byte of
// what comes next it decides what that means, see interpret. The lab dialect has
// no phases: once it is recognised, nothing else can follow.
type phase int

const (
	// phaseNew: nothing has been received. The first byte shows the dialect, and
	// the end of the stream is a ping.
	phaseNew phase = iota
	// phaseGreeted: a token has been accepted, and nothing else received. The end
	// of the stream is still a ping.
	phaseGreeted
	// phaseData: only Data has been received, which is the same in both dialects.
	// The first String shows which it is.
	phaseData
	// phaseLabnet: the client speaks this protocol, and a token would be too late.
	phaseLabnet
)

// An activity is what a connection does, as Shutdown sees it.
type activity int

const (
	// idle: it waits for a message. Shutdown closes it unless an answer is owed.
	idle activity = iota
	// idleInUpload: it waits for a message, and a file is under way. Shutdown lets
	// the client finish it.
	idleInUpload
	// active: it takes a message and answers it.
	active
)

// A conn is one connection of a Server. The goroutine of run reads it; others
// publish its files.
type conn struct {
	// Set before run.
	srv       *Server
	ctx       context.Context // until the connection ends, or another takes over
	cancel    context.CancelCauseFunc
	remote    string
	source    netip.Prefix // where it comes from, see sourceOf
	rejection *Error       // why the client is rejected; nil if it is not
	penalised bool         // because of its address

	// Safe for concurrent use.
	out         replyQueue
	heart       heartbeat
	publishing  jobs           // files that have arrived completely
	superseding sync.WaitGroup // connections that take over and have yet to say so

	// Owned by the reader, which changes log, identity and bare only while no other
	// goroutine works for the connection.
	link      link            // out writes to it, too
	r         *bufio.Reader   // over input; nil while idle
	first     [firstRead]byte // of what came while idle
	phase     phase
	bare      bool     // replies are bare bytes, as in the lab dialect
	textEnded bool     // all of a raw text is in r
	identity  Identity // nil until a token has shown it
	log       zerolog.Logger
	uploads   []*upload // announced and not yet ended, oldest first
	announced int       // number of the newest upload
	window    window
	body      body
	uploading bool // it is counted in admissions.uploads
	// handedOver is set before the first upload, if another protocol is spoken here,
	// and asked once a request has come by it.
	handedOver, asked bool

	// Guarded by srv.mu.
	activity        activity
	unauthenticated *list.Element // in admissions, until markAuthenticated
	counted         bool          // in admissions.conns and from
	countedFor      string        // the user, in admissions.of
	ownSlot         bool          // one of its files has it, see acquireSlot
	sharedSlots     int           // how many of its files have such a one
}

func newConn(s *Server, nc net.Conn) *conn {
	remote := nc.RemoteAddr().String()
	c := &conn{
		srv:    s,
		link:   link{Conn: nc, writeStall: s.limits.ProgressTimeout, minRate: s.limits.MinRate},
		remote: remote,
		log:    s.Log.With().Str("remote", remote).Logger(),
		bare:   s.Lab != 0,
	}
	c.out.link = &c.link
	c.out.held.all = &s.held
	c.out.changed.L = &c.out.mu
	c.heart.beat = c.beat
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c
}

// run serves the connection until it ends, and then frees what it holds.
func (c *conn) run() {
	defer c.srv.removeConn(c)
	defer c.out.drop()
	defer c.heart.pending.Wait()
	defer c.narrow()
	defer c.releaseSlots()
	defer c.publishing.wait()
	defer c.recoverPanic()
	defer c.close()
	err := c.converse()
	c.abandon()
	c.drain()
	c.end(err)
	c.tellEnded()
}

// converse serves the client from the first byte to the last.
func (c *conn) converse() error {
	if c.rejection == nil && (c.srv.Lab == Lab1 || c.srv.Lab == Lab2) {
		return c.ping()
	}
	first, err := c.await()
	if err == nil {
		err = c.takeHTTP(first)
	}
	if err == nil && c.srv.Lab == 0 {
		first, err = c.encrypt(first)
	}
	if c.srv.HTTPOnly {
		if err == nil {
			err = errHTTPOnly
		}
		return err
	}
	if c.rejection != nil {
		if err != nil || !c.pardon(func() error { return c.admit(first) }) {
			return c.reject(first, err)
		}
		c.out.flushIfDue()
		first, err = c.await()
	}
	for {
		var next request
		if next, err = c.interpret(first, err); err != nil {
			return err
		}
		switch next {
		case requestPing:
			return c.ping()
		case requestRawText:
			return c.serveRawText()
		case requestLab:
			c.drain()
			return c.serveLab()
		case requestToken:
			err = c.admit(first)
		case requestMessage:
			err = c.message()
		}
		if err != nil {
			return err
		}
		c.out.flushIfDue()
		first, err = c.await()
	}
}

// A request is what a client asks for next.
type request int

const (
	requestPing    request = iota // the stream has ended
	requestToken                  // a token, or else it is refused
	requestMessage                // a message of this protocol, or Data of either
	requestLab                    // the lab dialect, to the end of the connection
	requestRawText                // a raw text, to the end of the connection
)

// interpret decides, given the phase, what the client asks for with first, the
// next byte, or with err in its place.
func (c *conn) interpret(first byte, err error) (request, error) {
	isNew := c.phase == phaseNew
	switch {
	case err == io.EOF && (isNew || c.phase == phaseGreeted):
		return requestPing, nil
	case err != nil:
		return 0, err
	case c.srv.Lab != 0:
		return requestLab, nil
	case isNew && c.srv.Authenticate != nil:
		return requestToken, nil
	case first == typeString && (isNew || c.phase == phaseData):
		if lab, err := c.isLab(); lab || err != nil {
			return requestLab, err
		}
		return requestMessage, nil
	case first == typeData1 && isNew:
		unsized, err := c.isUnsized()
		if err == nil && unsized {
			err = errUnsized
		}
		return requestMessage, err
	case first >= typeString && first <= typeData8:
		return requestMessage, nil
	case isNew && startsText(first):
		return requestRawText, nil
	}
	return 0, labTypeError(first)
}

// message takes one message and answers it.
func (c *conn) message() error {
	h, err := ReadHeader(c.r)
	if err != nil {
		return unexpected(err)
	}
	if !h.IsString() {
		unsure := c.phase == phaseNew && h.Type == typeData1 && uint64(c.r.Buffered()) < h.Size
		switch c.phase {
		case phaseNew:
			c.phase = phaseData
		case phaseGreeted:
			c.phase = phaseLabnet
		}
		if err := c.checkToken(); err != nil {
			return err
		}
		return c.data(h.Size, unsure)
	}
	text, err := ReadString(c.r, h)
	if err != nil {
		return err
	}
	if token, ok := tokenOf(text); ok {
		return c.authenticate(token)
	}
	c.phase = phaseLabnet
	if err := c.checkToken(); err != nil {
		return err
	}
	if !IsControl(text) {
		c.say(text)
		return nil
	}
	return c.control(text)
}

// control takes a request, which is a word and fields.
func (c *conn) control(text string) error {
	ctl, err := ParseControl(text)
	if err != nil {
		return err
	}
	switch {
	case ctl.Word == wordEnd:
		return c.endUpload(ctl)
	case ctl.Word == wordCancel:
		return c.cancelUpload()
	case ctl.Word == wordRestart:
		return c.restartUpload()
	case reserved[ctl.Word]:
		c.out.addInOrder(c.refusal(&Error{CodeUnsupported, "this server does not know " + ctl.Word}, 0))
		return nil
	}
	return c.announce(ctl, len(text))
}

// say answers a text.
func (c *conn) say(text string) {
	_, err := c.permit(opSay)
	if err == nil {
		err = c.srv.allowText(text)
	}
	if err != nil {
		c.out.addInOrder(c.refusal(err, 0))
		return
	}
	c.received(Event{Op: "say", Text: text})
	c.out.addText(c.srv.reply, text)
}

// allowText returns why the server's limit forbids a text, or nil.
func (s *Server) allowText(text string) error {
	if limit := s.limits.MaxMessage; len(text) > limit {
		return &Error{CodeTooLarge, fmt.Sprintf("this server accepts messages of at most %d bytes", limit)}
	}
	return nil
}

// ping answers a connection that asks for nothing. It reports a store that has
// failed, because monitors look here. Where anything else would be refused, so is a
// ping: a monitor must not learn that all is well. That is not an offence, because
// load balancers check in this way, too.
func (c *conn) ping() error {
	switch {
	case c.exposed():
		c.log.Info().Msg("ping in the clear")
		c.tell(errTLSRequired, 0)
		c.tellRefused(CodeTLSRequired, errTLSRequired)
		return nil
	case c.srv.Authenticate != nil && (c.identity == nil || !c.identity.Valid()):
		c.log.Info().Msg("ping without a token")
		c.tell(errDenied, 0)
		c.tellRefused(CodeDenied, errNoToken)
		return nil
	}
	c.received(Event{Op: "ping"})
	if err := c.srv.Store.Err(); err != nil && c.srv.Lab == 0 {
		c.refuse(err, 0)
	}
	return nil
}

// received logs and reports an event.
func (c *conn) received(e Event) {
	e.Remote, e.Lab, e.User = c.remote, c.bare, c.user()
	line := c.log.Info()
	switch e.Op {
	case "say":
		line.Str("text", e.Text)
	case "folder":
		line.Str("name", e.Name)
	case "blob", "upload":
		line.Str("name", e.Name).Str("path", e.Path).Int64("size", *e.Size).Hex(e.Digest.Name, e.Sum).Float64("seconds", seconds(e.Took))
		if e.Resumed > 0 {
			line.Int64("resumed", e.Resumed)
		}
		line.Bool("unchanged", e.Unchanged)
		if e.Unchanged {
			line.Str("compared", string(e.Compared))
		}
	}
	line.Msg(e.Op)
	if c.srv.Received != nil {
		c.srv.Received(e)
	}
}

// beat tells the client that the server is still at work.
func (c *conn) beat() {
	c.heart.working(func() {
		if !c.bare && !c.handedOver {
			c.out.addControl(Control{Word: wordWait})
		}
	})
	if c.out.flush() != nil {
		c.cancel(net.ErrClosed) // the client has gone: the store need not read for it
	}
	c.srv.limitIdle(c)
}

// drain waits until nothing is owed.
func (c *conn) drain() {
	c.out.beginWait()
	c.publishing.wait()
	c.superseding.Wait()
	c.out.endWait()
}

// recoverPanic is deferred, so that a panic of this program or of its store ends
// only the connection in which it occurs.
func (c *conn) recoverPanic() {
	if p := recover(); p != nil {
		c.logPanic(p)
		c.out.fail(net.ErrClosed)
	}
}

func (c *conn) logPanic(p any) {
	c.log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("a panic ended a connection")
}

// end tells the client why the connection ends, unless the client ended it, and
// logs it.
func (c *conn) end(err error) {
	c.link.deadline.Store(0)
	var why *Error
	switch {
	case timedOut(err):
		why = errIdle
	case isProtocol(err):
		why = &Error{CodeProtocol, err.Error()}
	default:
		errors.As(err, &why)
	}
	if err == errHTTP {
		c.tellRefused(CodeProtocol, err)
	}
	if why != nil {
		c.tellRefused(why.Code, err)
		c.tell(why, 0)
	}
	c.penalize(c.offenceCost(err, why))
	switch {
	case context.Cause(c.ctx) == errEvicted:
		c.srv.connLog.warn(&c.log).Msg("connection closed: of too many it was the slowest to show who it is")
	case err == errHTTP:
		c.srv.errorLog.warn(&c.log).Msg("HTTP request refused")
	case err == nil, err == io.EOF, err == errRefused, c.rejection != nil, errors.Is(err, net.ErrClosed):
		c.log.Debug().Msg("connection ended")
	case why != nil && why.Code == CodeDenied:
		c.srv.errorLog.warn(&c.log).Err(err).Str("code", string(CodeDenied)).Msg("denied")
	default:
		withUpload(c.srv.errorLog.warn(&c.log), err).Err(err).Msg("connection ended early")
	}
	switch {
	case c.handedOver, c.out.flush() != nil:
	case err == io.EOF:
		c.link.closeNotify()
	default:
		dropped, _ := c.link.finish(lingerTime)
		if c.r != nil {
			dropped += int64(c.r.Buffered())
		}
		if err == nil && dropped > 0 {
			c.labWarnOfMore(dropped)
		}
	}
}

// isProtocol reports whether err says that a stream is not made of messages.
func isProtocol(err error) bool {
	return errors.Is(err, ErrType) || errors.Is(err, ErrLength) || errors.Is(err, ErrUTF8) || errors.Is(err, ErrControl)
}

// close frees what the connection holds, after a panic too.
func (c *conn) close() {
	c.cancel(net.ErrClosed)
	c.link.Close()
	c.releaseBuffer()
	c.abandon()
	c.stopUploading()
}

// await returns the first byte of the next message without consuming it, or
// io.EOF if the client has ended the stream between two messages.
func (c *conn) await() (byte, error) {
	if c.r == nil || c.r.Buffered() == 0 {
		if err := c.awaitByte(); err != nil {
			return 0, err
		}
	}
	c.link.limitTotal(c.srv.limits.HeaderTimeout)
	b, err := c.r.Peek(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// awaitByte waits for a byte. Meanwhile the connection holds no buffer, and
// Shutdown may close it unless a file is under way.
func (c *conn) awaitByte() error {
	c.releaseBuffer()
	if len(c.uploads) == 0 {
		c.stopUploading()
	}
	if err := c.out.beginWait(); err != nil { // before Shutdown may close it
		return err
	}
	c.out.trim()
	c.link.clearLimits()
	c.srv.setIdle(c, len(c.uploads) > 0)
	n, err := io.ReadAtLeast(&c.link, c.first[:], 1)
	closing := c.srv.setActive(c)
	c.out.endWait()
	switch {
	case closing && timedOut(err):
		return errShutdown
	case timedOut(err) && !c.isUnauthenticated():
		return errIdle
	}
	if err != nil {
		return err
	}
	c.link.unread = c.first[:n]
	c.r = takeBuffer(c.phase == phaseNew && isTokenChar(c.first[0]))
	c.r.Reset(input{c})
	return nil
}

// setIdle notes that c waits for a message, possibly in the middle of an upload.
func (s *Server) setIdle(c *conn, uploading bool) {
	s.mu.Lock()
	c.activity = idle
	if uploading {
		c.activity = idleInUpload
	}
	s.mu.Unlock()
	s.limitIdle(c)
}

// setActive notes that c no longer waits, and reports whether it has to end.
func (s *Server) setActive(c *conn) (closing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := c.activity
	c.activity = active
	return s.closing && was == idle
}

// limitIdle sets how long a connection may wait for a message: for ever while an
// answer is owed, and not at all if the server is shutting down.
func (s *Server) limitIdle(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var until time.Time
	switch {
	case c.activity == active:
		return
	case !c.out.isEmpty():
	case s.closing && c.activity == idle:
		until = time.Now()
	default:
		until = time.Now().Add(s.limits.IdleTimeout)
	}
	c.link.SetReadDeadline(until)
}

func (c *conn) releaseBuffer() {
	if c.r != nil {
		c.r.Reset(nil)
		giveBuffer(c.r)
		c.r = nil
	}
}

// Readers are for connections that have something to read. An idle connection has
// none, and those that come when maxBuffers are in use get small ones: thousands
// that send at once would need hundreds of megabytes.
var (
	buffers      = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}
	smallBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, smallBufferSize) }}
	buffersTaken atomic.Int32 // of buffers
)

const (
	bufferSize      = 32 << 10   // as much of a line of HTTP is looked at
	smallBufferSize = 4<<10 + 64 // a String of a client fits, and the next header
	maxBuffers      = 128
)

// takeBuffer returns a reader, in any case a large one if whole asks for it.
func takeBuffer(whole bool) *bufio.Reader {
	if taken := buffersTaken.Add(1); taken <= maxBuffers || whole {
		return buffers.Get().(*bufio.Reader)
	}
	buffersTaken.Add(-1)
	return smallBuffers.Get().(*bufio.Reader)
}

func giveBuffer(r *bufio.Reader) {
	if r.Size() == bufferSize {
		buffers.Put(r)
		buffersTaken.Add(-1)
	} else {
		smallBuffers.Put(r)
	}
}

// firstRead is how much an idle connection can receive without a buffer. Many
// messages are shorter.
const firstRead = 512

// input is what a conn reads from. Before it waits for the client it flushes the
// replies, for which the client may be waiting.
type input struct{ *conn }

func (in input) Read(p []byte) (int, error) {
	if len(in.link.unread) > 0 {
		return in.link.Read(p)
	}
	if err := in.out.beginWait(); err != nil {
		return 0, err
	}
	defer in.out.endWait()
	return in.link.Read(p)
}
