package wire

import (
	"errors"

	"github.com/rs/zerolog"
)

// refuse answers at once, with err if it is an *Error and otherwise with
// CodeInternal.
func (c *conn) refuse(err error, upload int) {
	c.tell(c.reason(err), upload)
}

func (c *conn) tell(e *Error, upload int) {
	if !c.bare {
		c.out.addControl(numbered(e.control(), upload))
	} else if c.srv.Lab.replies() {
		c.out.addBytes("ERROR: " + e.Text)
	}
}

// refusal returns what refuse would send, for a place in the order of answers.
func (c *conn) refusal(err error, upload int) Control {
	return numbered(c.reason(err).control(), upload)
}

// reason logs why something is refused, and returns what the client is told.
func (c *conn) reason(err error) *Error {
	e, told := errors.AsType[*Error](err)
	if !told {
		e = &Error{CodeInternal, "the server failed; its log says why"}
	}
	var line *zerolog.Event
	if e.Code == CodeAbsent || e.Code == CodeDifferent {
		line = c.log.Debug() // it was asked for
	} else if told {
		line = c.srv.errorLog.warn(&c.log)
	} else {
		line = c.log.Warn()
	}
	withUpload(line, err).Err(err).Str("code", string(e.Code)).Msg("refused")
	if e.Code != CodeAbsent && e.Code != CodeDifferent {
		c.tellRefused(e.Code, err)
	}
	return e
}

// withUpload adds the file that an error is about, if any, to a line of the log.
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
