package wire

import (
	"errors"
	"strconv"
	"strings"

	"github.com/rs/zerolog"
)

// refuse answers at once with the *Error that err is, or else with
// CodeInternal.
func (c *conn) refuse(err error, upload int) {
	c.tell(c.reason(err), upload)
}

func (c *conn) tell(e *Error, upload int) {
	if !c.bare {
		c.out.control(numbered(e.control(), upload))
	} else if c.srv.Lab.replies() {
		c.out.bare("ERROR: " + e.Text)
	}
}

// refusal is what refuse answers, for a place in the order of answers.
func (c *conn) refusal(err error, upload int) Control {
	return numbered(c.reason(err).control(), upload)
}

// reason logs why something is refused, and returns what of it is told.
func (c *conn) reason(err error) *Error {
	e, told := errors.AsType[*Error](err)
	if !told {
		e = &Error{CodeInternal, "the server failed; its log says why"}
	}
	var line *zerolog.Event
	if told {
		line = c.srv.amiss.warn(&c.log)
	} else {
		line = c.log.Warn()
	}
	withUpload(line, err).Err(err).Str("code", string(e.Code)).Msg("refused")
	return e
}

// withUpload adds to a line of the log which file an error is about, if it is.
func withUpload(line *zerolog.Event, err error) *zerolog.Event {
	failed, ok := errors.AsType[*failedUpload](err)
	if !ok {
		return line
	}
	if failed.Name != "" {
		line = line.Str("name", failed.Name)
	}
	if failed.Size >= 0 {
		line = line.Int64("size", failed.Size)
	}
	return line
}

// numbered adds which upload of the connection a reply is about, if any.
func numbered(ctl Control, upload int) Control {
	if upload == 0 {
		return ctl
	}
	return ctl.with("upload", strconv.Itoa(upload))
}

// about begins a reply that has room for a few fields, numbered.
func about(word string, upload int) Control {
	return numbered(Control{Word: word, Fields: make([]Field, 0, 5)}, upload)
}

// append appends the String that holds c to b.
func (c Control) append(b []byte) []byte {
	start := len(b)
	return endString(c.appendText(beginString(b)), start)
}

// appendSaid appends the String that answers a text: the template, which
// CheckReply has passed, with the text for each "{}".
func appendSaid(b []byte, template, text string) []byte {
	start := len(b)
	b = beginString(b)
	for {
		before, after, found := strings.Cut(template, "{}")
		b = append(b, before...)
		if !found {
			return endString(b, start)
		}
		b = append(b, text...)
		template = after
	}
}

const stringHeader = 3

// beginString makes room for the header of a String whose contents are then
// appended, and endString puts it there, at start.
func beginString(b []byte) []byte { return StringHeader(0).Append(b) }

func endString(b []byte, start int) []byte {
	StringHeader(len(b) - start - stringHeader).Append(b[start:start])
	return b
}
