package wire

import (
	"errors"
	"time"
)

// What follows lets others see what a server does.

// A Refusal is something that a Server has refused.
type Refusal struct {
	Remote string // address and port of the client
	User   string // as in an Event
	Code   Code
	Name   string // of the file, if it is about one and that has a name
	Err    error  // with more than the client is told
}

// tellRefused reports why something is refused.
func (c *conn) tellRefused(code Code, err error) {
	if c.srv.Refused == nil {
		return
	}
	r := Refusal{Remote: c.remote, User: c.user(), Code: code, Err: err}
	if failed, ok := errors.AsType[*failedUpload](err); ok {
		r.Name = failed.Name
	}
	c.srv.Refused(r)
}

// Spoken is what was spoken on a connection.
type Spoken string

const (
	SpokenProtocol Spoken = "protocol" // also by a client that has said nothing, for a ping
	SpokenLab      Spoken = "lab"
	SpokenHTTP     Spoken = "http"
)

// Dialects lists them.
func Dialects() []Spoken { return []Spoken{SpokenProtocol, SpokenLab, SpokenHTTP} }

// tellEnded reports that the connection has ended, unless it was rejected.
func (c *conn) tellEnded() {
	switch {
	case c.srv.Ended == nil, c.rejection != nil:
	case c.handedOver:
		c.srv.Ended(SpokenHTTP)
	case c.bare:
		c.srv.Ended(SpokenLab)
	default:
		c.srv.Ended(SpokenProtocol)
	}
}

// An InProgress is a file or blob that a Server receives.
type InProgress struct {
	Remote, User string
	Name         string // "" for a blob
	Size         int64  // negative if nobody knows
	Received     int64  // bytes, with those that an earlier upload had sent, which are
	Resumed      int64
	Started      time.Time
}

// InProgress lists what is being received or made durable, in no order, but no more than
// most, and tells how many there are.
func (s *Server) InProgress(most int) (list []InProgress, all int) {
	l := &s.uploadLog
	l.mu.Lock() // as long as it is held, none of them ends
	defer l.mu.Unlock()
	for u := range l.due {
		if u.Check { // nothing of it is received
			continue
		}
		if all++; len(list) == most {
			continue
		}
		list = append(list, InProgress{
			Remote: u.conn.remote, User: u.conn.user(), Name: u.Name, Size: u.Size,
			Received: u.received.Load(), Resumed: u.resumed, Started: u.started,
		})
	}
	return list, all
}

// Connections returns how many connections are admitted, and how many can be.
func (s *Server) Connections() (now, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.admitted.conns, s.Limits.withDefaults().MaxConns
}
