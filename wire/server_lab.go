package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

const (
	// labSilence ends a text that has no length. Nagle's algorithm and delayed
	// acknowledgements separate what a program sends by up to 40 ms.
	labSilence = 100 * time.Millisecond
	// labShortText is how long to wait for the third byte of what may be a text of
	// one letter, or a String whose header was split.
	labShortText = time.Second
)

// startsText reports whether b can begin a text: a printable ASCII character, or
// the first byte of a longer UTF-8 character.
func startsText(b byte) bool { return b >= ' ' && b <= '~' || b >= 0xC2 && b <= 0xF4 }

// isLab distinguishes the lab dialect from a String of this protocol: what would be
// the high byte of the length is the second character of a text.
func (c *conn) isLab() (bool, error) {
	if c.r.Buffered() == 1 { // a program may ask somebody for the text now
		c.link.limitTotal(c.srv.limits.IdleTimeout)
	}
	b, err := c.r.Peek(2)
	c.link.limitTotal(c.srv.limits.HeaderTimeout)
	if err != nil {
		return false, unexpected(err)
	}
	if startsText(b[1]) && c.r.Buffered() < 3 {
		c.link.limitTotal(labShortText)
		defer c.link.limitTotal(c.srv.limits.HeaderTimeout)
	}
	b, err = c.r.Peek(3)
	switch {
	case err == nil:
		return int(b[1])|int(b[2])<<8 > MaxString, nil
	case startsText(b[1]) && (err == io.EOF || timedOut(err)):
		return true, nil
	}
	return false, unexpected(err)
}

// errUnsized is about bytes behind a type of 2 that are no message.
var errUnsized = &Error{CodeProtocol, "more bytes came than the size says; for programs of the course that send none, or one of 4 bytes, there is --lab 4 and --lab 5"}

// isUnsized reports whether a first message of type 2 cannot be one with a size of a
// byte, as far as the bytes tell that have come with it.
func (c *conn) isUnsized() (bool, error) {
	b, err := c.r.Peek(2)
	if err != nil {
		return false, nil
	}
	n := 2 + int(b[1])
	if c.r.Buffered() <= n {
		return false, nil
	}
	c.link.limitEach(c.srv.limits.ProgressTimeout)
	defer c.link.limitTotal(c.srv.limits.HeaderTimeout)
	follow, err := c.messagesFollow(n)
	return !follow, err
}

// messagesFollow reports whether what follows n bytes that are buffered is a sequence
// of messages. It waits for the end of the last one, because any bytes can be the
// beginning of a Data.
func (c *conn) messagesFollow(n int) (bool, error) {
	for {
		b, _ := c.r.Peek(c.r.Buffered())
		missing := missingOf(b[n:])
		if missing <= 0 {
			return missing == 0, nil
		}
		switch _, err := c.r.Peek(len(b) + missing); {
		case err == io.EOF, err == bufio.ErrBufferFull, timedOut(err):
			return false, nil
		case err != nil:
			return false, err
		}
	}
}

// missingOf returns how many bytes are missing at least until b is a sequence of
// messages, of either dialect: 0 if it is one, and -1 if it cannot become one that
// fits into a buffer.
func missingOf(b []byte) int {
	for len(b) > 0 {
		switch {
		case b[0] == typeString && (isString(b) || isLabText(b[1:])):
			return 0
		case b[0] <= typeString || b[0] > typeData8:
			return -1
		}
		n := 1 + sizeWidth(b[0])
		if len(b) < n {
			return n - len(b)
		}
		size := labInt(b[1:n], false)
		if size > bufferSize {
			return -1
		}
		n += int(size)
		if len(b) < n {
			return n - len(b)
		}
		b = b[n:]
	}
	return 0
}

// isString reports whether b can begin with a String of this protocol.
func isString(b []byte) bool {
	if len(b) < stringHeader {
		return true
	}
	n := int(labInt(b[1:stringHeader], false))
	text := b[stringHeader:min(len(b), stringHeader+n)]
	return n <= MaxString && utf8.Valid(text[:wholeRunes(text)])
}

// isLabText reports whether b can begin with a text of the lab dialect, which ends
// where another message begins.
func isLabText(b []byte) bool {
	const most = 64 // that tell a text from other bytes
	b = b[:min(len(b), most)]
	if i := bytes.IndexFunc(b, func(r rune) bool { return r < ' ' && r != '\t' }); i >= 0 {
		if b[i] < typeString || b[i] > typeData8 {
			return false
		}
		b = b[:i]
	}
	return utf8.Valid(b[:wholeRunes(b)])
}

// serveRawText answers Task 3: a text that the end of the stream or a silence
// ends.
func (c *conn) serveRawText() error {
	c.bare = true
	text, err := c.readText(true)
	if err != nil {
		return err
	}
	if err := c.srv.allowText(text); err != nil {
		return c.labRefuse(err)
	}
	c.received(Event{Op: "say", Text: text})
	c.out.addBytes(c.srv.replyTo(text))
	return nil
}

// serveLab serves Tasks 3 to 6 and extra, and without a task the mixture of
// them that can be recognised.
func (c *conn) serveLab() error {
	c.bare = true
	task := c.srv.Lab
	if task == Lab3 {
		return c.serveRawText()
	}
	name := "" // the last text, for a Data that may follow
	for {
		first, err := c.await()
		if err != nil {
			return err
		}
		switch {
		case first == typeString:
			c.r.Discard(1)
			if _, err := c.await(); err != nil { // the program may ask somebody for the text
				return unexpected(err)
			}
			text, err := c.readText(false)
			if err == nil && task >= Lab6 {
				err = c.labCreate(text)
			}
			if err != nil {
				return err
			}
			if err := c.srv.allowText(text); err != nil && task < Lab6 {
				return c.labRefuse(err)
			}
			if task < Lab6 {
				c.received(Event{Op: "say", Text: text})
			}
			if task == 0 {
				name = text
			}
			if task.replies() {
				c.out.addBytes("OK")
			}
		case first == typeData1 && task == Lab4:
			c.r.Discard(1)
			return c.labStream()
		case first > typeString && first <= typeData8 && task >= Lab6 && len(c.uploads) == 0:
			return &Error{CodeProtocol, fmt.Sprintf("type %d came where a name, type 1, is due", first)}
		case first > typeString && first <= typeData8 && task != Lab4:
			if err := c.labData(name); err != nil {
				return err
			}
			name = ""
			if task == Lab6 {
				return nil
			}
		case task >= Lab6 && len(c.uploads) > 0:
			return fmt.Errorf("%w; behind a name comes a type of 2 to 9, and the size", labTypeError(first))
		default:
			return labTypeError(first)
		}
	}
}

// readText takes a text without a length: up to the end of the stream,
// MaxString bytes, a silence, or the next message if one may follow.
func (c *conn) readText(last bool) (string, error) {
	if n := c.srv.Scheme.NameBytes; n > 0 && !last {
		return c.readCounted(n)
	}
	var text []byte
	for len(text) < MaxString && !(c.textEnded && c.r.Buffered() == 0) {
		if _, err := c.r.Peek(1); err != nil {
			if err == io.EOF || timedOut(err) && len(text) > 0 {
				break
			}
			return "", err
		}
		c.link.limitEach(labSilence)
		available := min(c.r.Buffered(), MaxString-len(text))
		n := available
		if !last {
			n = c.endOfText(available)
		}
		b, _ := c.r.Peek(n)
		text = append(text, b...)
		c.r.Discard(n)
		if n < available {
			break
		}
	}
	if len(text) == MaxString {
		text = text[:wholeRunes(text)]
	}
	if !utf8.Valid(text) {
		return "", ErrUTF8
	}
	return string(text), nil
}

// readCounted takes a text whose length stands in front, in width bytes.
func (c *conn) readCounted(width int) (string, error) {
	b, err := c.r.Peek(width)
	if err != nil {
		return "", unexpected(err)
	}
	n := labInt(b, c.srv.Scheme.BigEndian)
	if n > MaxString {
		return "", ErrLength
	}
	c.r.Discard(width)
	return ReadString(c.r, Header{typeString, n})
}

// endOfText finds where in the n bytes that came the next message begins, or n.
// No text holds a message type but 9, which is a tab.
func (c *conn) endOfText(n int) int {
	for i := range n {
		b, _ := c.r.Peek(n)
		if t := b[i]; t >= typeString && t < typeData8 || t == typeData8 && c.isHeader(i) {
			return i
		}
	}
	return n
}

// isHeader distinguishes a header of type 9 from a tab: a size follows it that is
// plausible, or was cut by the end of the stream or a silence and is not text.
func (c *conn) isHeader(i int) bool {
	b, err := c.r.Peek(i + maxHeader)
	if err == nil {
		return bytes.HasSuffix(b, []byte{0, 0})
	}
	return bytes.ContainsFunc(b[i+1:], func(r rune) bool { return r < typeData8 })
}

// labCreate begins a file, in place of one that got no contents.
func (c *conn) labCreate(name string) error {
	c.abandon()
	u := &upload{Announcement: Announcement{Name: name, Size: -1, Digest: digests[0]}, conn: c}
	if err := c.createFile(opUpload, u); err != nil {
		return c.labRefuse(u.because(err))
	}
	c.uploads = append(c.uploads, u)
	return nil
}

// labRefuse refuses a file and ends the connection: the dialect has no way to
// continue.
func (c *conn) labRefuse(err error) error {
	c.refuse(err, 0)
	return errRefused
}

// A labSize is a way to read the size of a Data.
type labSize struct {
	size      uint64
	bigEndian bool
}

// labData takes a Data into the file begun, or else into one called name. Nobody is
// told in this dialect that contents are kept, and its programs do not agree how a size
// is written: contents are kept only if what follows shows that the size was read
// rightly.
func (c *conn) labData(name string) error {
	kind, header, sizes, err := c.labSizes()
	if err != nil {
		return err
	}
	if sizes[0].size > uint64(c.srv.limits.MaxSize) {
		return c.labRefuse(&Error{CodeTooLarge, fmt.Sprintf("type %d says a size of %d bytes, and this server accepts at most %d bytes", kind, sizes[0].size, c.srv.limits.MaxSize)})
	}
	c.r.Discard(header)
	if len(c.uploads) == 0 {
		if err := c.labCreate(name); err != nil {
			return err
		}
	}
	u := c.uploads[0]
	for _, s := range sizes {
		if err := u.fits(s.size-uint64(u.got), c.srv.limits.MaxSize); err != nil {
			return c.labRefuse(err)
		}
		if err := c.receive(u, int64(s.size)-u.got); err != nil {
			return c.labCut(u, kind, s.size, err)
		}
		switch follows, err := c.labEnd(0, s.bigEndian && len(sizes) > 1); {
		case err != nil:
			return err
		case !follows:
			continue
		case s.bigEndian && !c.srv.Scheme.BigEndian:
			c.log.Warn().Uint64("size", s.size).Msg("the size is big-endian; the assignment's clients write it as the machine does, which is little-endian")
		}
		return c.labSave(u)
	}
	return c.labRefuse(&Error{CodeProtocol, fmt.Sprintf("type %d says %d bytes, and more came: nothing is kept", kind, sizes[0].size)})
}

// labSizes reads the type and the size of a Data without consuming them. It returns
// the length of the header, and what the size may be, the smallest first. A type of 2
// may have a size of 4 bytes, the literal reading of Task 5.
func (c *conn) labSizes() (kind byte, header int, sizes []labSize, err error) {
	scheme := c.srv.Scheme
	b, err := c.r.Peek(1)
	if err != nil {
		return 0, 0, nil, unexpected(err)
	}
	kind = b[0]
	width := sizeWidth(kind)
	if scheme.SizeBytes > 0 {
		if kind != typeData1 {
			return kind, 0, nil, labTypeError(kind)
		}
		width = scheme.SizeBytes
	}
	if b, err = c.r.Peek(1 + width); err != nil {
		return kind, 0, nil, unexpected(err)
	}
	if kind == typeData1 && scheme == (LabScheme{}) {
		small, err := c.isOneByteSize(2 + int(b[1]))
		if err != nil {
			return kind, 0, nil, err
		}
		if !small {
			width = 4
		}
		b, _ = c.r.Peek(1 + width)
	}
	little, big := labInt(b[1:1+width], false), labInt(b[1:1+width], true)
	switch {
	case scheme.BigEndian:
		sizes = []labSize{{big, true}}
	case scheme.SizeBytes > 0 || little == big:
		sizes = []labSize{{little, false}}
	case little < big:
		sizes = []labSize{{little, false}, {big, true}}
	default:
		sizes = []labSize{{big, true}, {little, false}}
	}
	if n := len(sizes); n == 2 && sizes[1].size > uint64(c.srv.limits.MaxSize) {
		sizes = sizes[:1]
	}
	return kind, 1 + width, sizes, nil
}

// labInt reads a number.
func labInt(b []byte, bigEndian bool) (n uint64) {
	for i := range b {
		if bigEndian {
			n = n<<8 | uint64(b[i])
		} else {
			n |= uint64(b[i]) << (8 * i)
		}
	}
	return n
}

// isOneByteSize reports whether a message of type 2 is one of n bytes, rather than
// one whose size has 4 bytes.
func (c *conn) isOneByteSize(n int) (bool, error) {
	c.link.limitEach(c.srv.limits.ProgressTimeout)
	b, err := c.r.Peek(n)
	switch {
	case err != nil && err != io.EOF:
		return false, err
	case err == io.EOF: // then the whole has to fit
		fits := func(bigEndian bool) bool {
			return len(b) >= 5 && labInt(b[1:5], bigEndian) == uint64(len(b)-5)
		}
		return !fits(false) && !fits(true), nil
	}
	zeros := n >= 5 && bytes.Equal(b[2:5], []byte{0, 0, 0}) // contents, or the rest of a size
	ends, err := c.labEnd(n, zeros)
	if err != nil || ends {
		return ends, err
	}
	if _, err := c.r.Peek(5); err != nil {
		return true, nil // and too much came
	}
	return false, nil
}

// labEnd reports whether what follows n bytes that are buffered can follow contents:
// the end of the stream, a silence unless it must not be, or another name.
func (c *conn) labEnd(n int, noSilence bool) (bool, error) {
	task := c.srv.Lab
	if noSilence {
		c.link.limitEach(c.srv.limits.ProgressTimeout)
	} else {
		c.link.limitEach(labSilence)
	}
	defer c.link.limitEach(c.srv.limits.ProgressTimeout)
	b, err := c.r.Peek(n + 1)
	switch {
	case err == io.EOF:
		return true, nil
	case timedOut(err) && !noSilence:
		return true, nil
	case err != nil:
		return false, err
	case task == Lab5, task >= Lab6 && b[n] != typeString:
		return false, nil
	}
	c.link.limitEach(c.srv.limits.ProgressTimeout)
	return c.messagesFollow(n)
}

// labTypeError is ErrType with what a program probably meant by the type.
func labTypeError(kind byte) error {
	return fmt.Errorf("%w 0x%02x: %s", ErrType, kind, LabTypeGuess(kind))
}

// labCut adds to an error, if the client ended or fell silent within contents, what
// the size says: it may be no size.
func (c *conn) labCut(u *upload, kind byte, size uint64, err error) error {
	if !errors.Is(err, io.ErrUnexpectedEOF) && !timedOut(err) {
		return err
	}
	return u.because(&Error{CodeMismatch, fmt.Sprintf("type %d says a size of %d bytes, and %d came", kind, size, u.got)})
}

// labWarnOfMore notes that a program sent more after its task was done, which was
// not read: it may wait for an answer to that.
func (c *conn) labWarnOfMore(bytes int64) {
	switch {
	case c.srv.Lab == Lab3 || c.srv.Lab == 0 && c.bare:
		c.log.Warn().Int64("bytes", bytes).Msg("more came after the text and was not read: task 3 has one text for each connection")
	case c.srv.Lab == Lab6:
		c.log.Warn().Int64("bytes", bytes).Msg("more came after the file and was not read: task 6 has one file for each connection, and --lab extra several")
	}
}

// labStream takes everything up to the end of the stream (Task 4).
func (c *conn) labStream() error {
	if err := c.labCreate(""); err != nil {
		return err
	}
	u, limit := c.uploads[0], c.srv.limits.MaxSize
	c.srv.uploadLog.begin(u)
	b := new(c.newBody(limit))
	b.upload = u
	c.link.limitEach(c.srv.limits.ProgressTimeout)
	_, err := u.to.ReadFrom(b)
	u.got = limit - b.remaining
	if err != b.err {
		return c.labRefuse(err)
	}
	if b.remaining == 0 {
		if _, b.err = c.r.Peek(1); b.err == nil {
			return c.labRefuse(tooLarge(limit))
		}
	}
	if unexpected(b.err) != io.ErrUnexpectedEOF { // the end that the task means
		return b.err
	}
	return c.labSave(u)
}

// labSave publishes a file of which only the length is known.
func (c *conn) labSave(u *upload) error {
	c.uploads = nil
	if u.to == nil {
		return errRefused
	}
	to := u.to
	u.to = nil
	if _, err := c.commit(u, to, Sum{Size: u.got}); err != nil {
		return c.labRefuse(err)
	}
	return nil
}
