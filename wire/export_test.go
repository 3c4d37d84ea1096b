package wire

const MaxOffenders = maxOffenders

// Offenders returns how many addresses have a penalty to pay.
func (s *Server) Offenders() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.admitted.penalties.of)
}
