package wire

import (
	"bytes"
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
	b, err := c.r.Peek(2)
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
		case first > typeString && first <= typeData8 && task != Lab4:
			if err := c.labData(name); err != nil {
				return err
			}
			name = ""
			if task == Lab6 {
				return nil
			}
		default:
			return ErrType
		}
	}
}

// readText takes a text without a length: up to the end of the stream,
// MaxString bytes, a silence, or the next message if one may follow.
func (c *conn) readText(last bool) (string, error) {
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
	to, err := c.createFile(opUpload, u.Announcement)
	if err != nil {
		return c.labRefuse(u.because(err))
	}
	u.to = to
	c.uploads = append(c.uploads, u)
	return nil
}

// labRefuse refuses a file and ends the connection: the dialect has no way to
// continue.
func (c *conn) labRefuse(err error) error {
	c.refuse(err, 0)
	return errRefused
}

// labData takes a Data into the file begun, or else into one called name.
func (c *conn) labData(name string) error {
	h, err := ReadHeader(c.r)
	if err != nil {
		return unexpected(err)
	}
	if len(c.uploads) == 0 {
		if err := c.labCreate(name); err != nil {
			return err
		}
	}
	u := c.uploads[0]
	if err := u.fits(h.Size, c.srv.limits.MaxSize); err != nil {
		return c.labRefuse(err)
	}
	if err := c.receive(u, int64(h.Size)); err != nil {
		return err
	}
	return c.labSave(u)
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
