package wire

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

const (
	// maxRejecting is how many connections are told at the same time, in their own
	// dialect and inside TLS, why they are rejected. The rest are closed at once,
	// in the clear with a reason, otherwise without one.
	maxRejecting = 32
	// rejectTime is how long such a connection has to show its dialect.
	rejectTime = 2 * time.Second
	// lastWordTime limits the write of that reason. It fits into the system's
	// empty buffer.
	lastWordTime = 10 * time.Millisecond
)

var (
	errFull = &Error{CodeBusy, "the server has reached its connection limit"}
	// errEvicted ends an unauthenticated connection in favour of another.
	errEvicted = errors.New("too many unauthenticated clients")
)

// admissions counts the connections of a server. It is guarded by srv.mu.
type admissions struct {
	conns           int                  // admitted
	from            map[netip.Prefix]int // of these, by source
	of              map[string]int       // connections, by user
	unauthenticated list.List            // of these, *conn that are not authenticated yet, oldest first
	rejecting       int                  // being told why they are rejected
	uploads         map[party]int        // connections that send files
	penalties       penalties
}

// A party is what shares a limit: a user, or without tokens an address.
type party struct {
	user   string
	source netip.Prefix
}

// sourceOf returns the address that limits and penalties apply to: an IPv4
// address, or the /64 of an IPv6 address, because one customer has all of it. It
// is not valid for loopback addresses and Unix sockets.
func sourceOf(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	if !ip.IsValid() || ip.IsLoopback() {
		return netip.Prefix{}
	}
	bits := ip.BitLen()
	if ip.Is6() && !ip.IsLinkLocalUnicast() { // all of a link are in one /64
		bits = 64
	}
	source, _ := ip.Prefix(bits)
	return source
}

// accept starts a conversation or rejects the client. It reports whether the
// server is still open.
func (s *Server) accept(nc net.Conn, start func(*conn)) (open bool) {
	c := newConn(s, nc)
	c.source = sourceOf(nc.RemoteAddr())
	if wait := s.penalty(c.source); wait > 0 {
		c.rejection = &Error{CodeBusy, fmt.Sprintf("too many errors from your address: wait %.0f s", wait.Seconds())}
		c.penalised = true
	}
	told, open := s.addConn(c)
	if c.rejection != nil && !(told && c.penalised) { // a token may still admit it
		s.connLog.warn(&c.log).Err(c.rejection).Msg("connection refused")
	}
	switch {
	case !open:
		nc.Close()
	case told:
		start(c)
	default:
		c.tellRefused(c.rejection.Code, c.rejection)
		s.closeWith(nc, c.rejection)
	}
	return open
}

// addConn counts a connection, or notes why it is rejected. It reports whether
// to run it, if only to tell the client why, and whether the server is open.
func (s *Server) addConn(c *conn) (told, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false, false
	}
	a := &s.admitted
	if c.rejection == nil {
		c.rejection = s.fullLocked(c)
	}
	if c.rejection != nil {
		if a.rejecting >= maxRejecting {
			return false, true
		}
		a.rejecting++
		c.link.deadline.Store(time.Now().Add(rejectTime).UnixNano())
	} else {
		c.counted = true
		a.conns++
		count(&a.from, c.source, 1)
		if s.Certificate != nil {
			s.addUnauthenticatedLocked(c)
		}
	}
	if s.conns == nil {
		s.conns = map[*conn]struct{}{}
	}
	s.conns[c] = struct{}{}
	s.running.Add(1)
	return true, true
}

// fullLocked returns why the server cannot take another connection, or nil.
func (s *Server) fullLocked(c *conn) *Error {
	a := &s.admitted
	switch {
	case c.source.IsValid() && a.from[c.source] >= s.limits.MaxConnsPerIP:
		return &Error{CodeBusy, "the server has reached its connection limit for your address"}
	case a.conns < s.limits.MaxConns:
		return nil
	case a.unauthenticated.Len() > 0: // these must not keep out clients with a token
		s.evictLocked()
		return nil
	}
	return errFull
}

// addUnauthenticatedLocked counts a connection that must finish TLS, and show a
// token if the server requires one.
func (s *Server) addUnauthenticatedLocked(c *conn) {
	if s.admitted.unauthenticated.Len() >= s.limits.MaxUnauthenticated {
		s.evictLocked()
	}
	c.unauthenticated = s.admitted.unauthenticated.PushBack(c)
	c.link.deadline.Store(time.Now().Add(s.limits.AuthTimeout).UnixNano())
}

// evictLocked closes the oldest unauthenticated connection.
func (s *Server) evictLocked() {
	c := s.admitted.unauthenticated.Front().Value.(*conn)
	s.forgetLocked(c)
	c.cancel(errEvicted)
	c.link.Close()
}

// forgetLocked removes an admitted connection from all counts.
func (s *Server) forgetLocked(c *conn) {
	if c.unauthenticated != nil {
		s.admitted.unauthenticated.Remove(c.unauthenticated)
		c.unauthenticated = nil
	}
	if c.counted {
		c.counted = false
		s.admitted.conns--
		count(&s.admitted.from, c.source, -1)
	}
}

// markAuthenticated notes that a client has met the server's requirements.
func (c *conn) markAuthenticated() {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	if c.unauthenticated != nil {
		c.srv.admitted.unauthenticated.Remove(c.unauthenticated)
		c.unauthenticated = nil
		c.link.deadline.Store(0)
	}
}

// countFor counts the connection for a user, and no longer for another, unless the user
// has too many: the rest is for others.
func (c *conn) countFor(user string) error {
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.countedFor == user {
		return nil
	}
	if s.admitted.of[user] >= s.limits.MaxConnsPerUser {
		return &Error{CodeBusy, fmt.Sprintf("you have %d connections already", s.limits.MaxConnsPerUser)}
	}
	if c.countedFor != "" {
		count(&s.admitted.of, c.countedFor, -1)
	}
	c.countedFor = user
	count(&s.admitted.of, user, 1)
	return nil
}

// isUnauthenticated reports whether it has yet to meet them.
func (c *conn) isUnauthenticated() bool {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	return c.unauthenticated != nil
}

func (s *Server) removeConn(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if c.countedFor != "" {
		count(&s.admitted.of, c.countedFor, -1)
	}
	if c.rejection != nil {
		s.admitted.rejecting--
	} else {
		s.forgetLocked(c)
	}
	s.mu.Unlock()
	s.running.Done()
}

// closeWith closes a connection at once. In the clear, a reason costs next to
// nothing; a client that has already sent something may not receive it.
func (s *Server) closeWith(nc net.Conn, why *Error) {
	if s.Certificate == nil && s.Lab == 0 {
		nc.SetWriteDeadline(time.Now().Add(lastWordTime))
		nc.Write(why.control().append(nil))
	}
	nc.Close()
}

// reject tells a client in its dialect why it is rejected, once the first byte
// has shown the dialect, or err that none will come.
func (c *conn) reject(first byte, err error) error {
	if err != nil && err != io.EOF && err != errIdle {
		return err
	}
	c.logPenalty()
	c.bare = c.bare || startsText(first)
	return c.rejection
}

// logPenalty logs that a client is rejected because of its address, which is known only
// once it has shown no token.
func (c *conn) logPenalty() {
	if c.penalised {
		c.srv.connLog.warn(&c.log).Err(c.rejection).Msg("connection refused")
	}
}

// pardon admits a client whose address is penalised if it shows a valid token: others
// at that address have made the errors. It reports whether the client is admitted.
func (c *conn) pardon(authenticate func() error) bool {
	if !c.penalised || c.srv.Authenticate == nil || authenticate() != nil {
		return false
	}
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	if full := s.fullLocked(c); full != nil {
		c.rejection = full
		return false
	}
	c.rejection, c.counted = nil, true
	s.admitted.rejecting--
	s.admitted.conns++
	count(&s.admitted.from, c.source, 1)
	c.link.deadline.Store(0)
	return true
}

// penalty returns how much longer an address must wait.
func (s *Server) penalty(source netip.Prefix) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.admitted.penalties.refused(source)
}

// penalize charges the client's address for an offence.
func (c *conn) penalize(cost time.Duration) {
	if cost == 0 || !c.source.IsValid() {
		return
	}
	c.srv.mu.Lock()
	refused := c.srv.admitted.penalties.add(c.source, cost)
	c.srv.mu.Unlock()
	if refused {
		c.srv.connLog.warn(&c.log).Msg("too many errors from this address: its connections are refused for a while")
	}
}

// offenceCost returns what the end of the connection costs the client's address.
func (c *conn) offenceCost(err error, told *Error) time.Duration {
	switch {
	case c.rejection != nil, err == nil, err == io.EOF, err == errIdle:
		return 0
	case c.isUnauthenticated() && timedOut(err):
		return neverAuthenticated
	case c.asked: // each request was charged for by itself
		return 0
	case err == errHTTP:
		return offences[CodeProtocol]
	case told != nil:
		return offences[told.Code]
	case c.isUnauthenticated():
		return failedHandshake
	}
	return 0
}

// startUploading counts a connection that starts to send a file or blob.
func (c *conn) startUploading() error {
	who := c.party()
	if c.uploading || who == (party{}) {
		return nil
	}
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admitted.uploads[who] >= s.limits.MaxUploads {
		return &Error{CodeTooMany, fmt.Sprintf("you, or others at your address, send files over %d connections already", s.limits.MaxUploads)}
	}
	c.uploading = true
	count(&s.admitted.uploads, who, 1)
	return nil
}

func (c *conn) party() party {
	if user := c.user(); user != "" {
		return party{user: user}
	}
	return party{source: c.source}
}

// stopUploading uncounts a connection that has nothing under way.
func (c *conn) stopUploading() {
	if c.uploading {
		c.srv.mu.Lock()
		defer c.srv.mu.Unlock()
		c.uploading = false
		count(&c.srv.admitted.uploads, c.party(), -1)
	}
}

// count changes a count; zeros are not stored.
func count[K comparable](m *map[K]int, key K, by int) {
	if *m == nil {
		*m = map[K]int{}
	}
	if (*m)[key] += by; (*m)[key] == 0 {
		delete(*m, key)
	}
}
