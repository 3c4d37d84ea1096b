package wire

import "bufio"

const MaxHeld, FreeHeld = maxHeld, freeHeld

const OverlapFrom = overlapFrom

// Held returns how many bytes of answers are held back beyond FreeHeld for each
// connection.
func (s *Server) Held() int64 { return s.held.Load() }

const MaxOffenders = maxOffenders

// Offenders returns how many addresses have a penalty to pay.
func (s *Server) Offenders() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.admitted.penalties.of)
}

// RequestLine reports whether the stream that the pieces make begins with a
// request line of HTTP, and whether they are enough to know.
func RequestLine(pieces ...[]byte) (http, known bool) {
	var l requestLine
	for _, p := range pieces {
		l.add(p)
	}
	known = l.known()
	if !known {
		l.cut()
	}
	return l.part == lineHTTP, known
}

// ReadReply is ReadHeader of what a server sends.
func ReadReply(r *bufio.Reader) (Header, error) { return readHeader(r, MaxReply) }
