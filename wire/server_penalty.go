package wire

import (
	"net/netip"
	"time"
)

// An offence costs the client's address time. An address that has collected much
// is refused for that time; an occasional offence, which anyone can commit, has no
// consequence. The model is sshd's PerSourcePenalties, with shorter times, because
// others may share the address. No address is refused for longer than maxPenalty,
// or again within amnesty after it.
const (
	minPenalty = 10 * time.Second // with less, an address is not refused
	maxPenalty = 20 * time.Second
	amnesty    = 10 * time.Second
	// maxOffenders bounds the table. Offences of further addresses are not counted.
	maxOffenders = 16 << 10
)

// offences is what it costs to end a connection with a code.
var offences = map[Code]time.Duration{
	CodeProtocol:    2 * time.Second,
	CodeTLSRequired: time.Second,
	CodeDenied:      4 * time.Second,
	CodeTimeout:     2 * time.Second,
	CodeTooSlow:     5 * time.Second,
}

// Other offences.
const (
	failedHandshake    = time.Second
	neverAuthenticated = 5 * time.Second // in AuthTimeout
)

// penalties is a table of offenders. Its zero value is empty. It is guarded by
// srv.mu, as part of the admissions.
type penalties struct {
	of    map[netip.Prefix]*penalty
	swept time.Time
}

type penalty struct {
	due   time.Time // when all of it is served
	until time.Time // until then the address is refused
}

// add notes an offence, and reports whether the address is refused from now on.
func (t *penalties) add(source netip.Prefix, cost time.Duration) (refused bool) {
	now := time.Now()
	p := t.of[source]
	if p == nil {
		if !t.makeSpace(now) {
			return false
		}
		p = &penalty{}
		t.of[source] = p
	}
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(cost)
	if most := now.Add(maxPenalty); p.due.After(most) {
		p.due = most
	}
	if p.due.Sub(now) < minPenalty || now.Before(p.until.Add(amnesty)) {
		return false
	}
	p.until = p.due
	return true
}

// refused returns how much longer the address must wait.
func (t *penalties) refused(source netip.Prefix) time.Duration {
	p := t.of[source]
	if p == nil {
		return 0
	}
	return max(0, time.Until(p.until))
}

// makeSpace reports whether the table can hold one more address. It drops those
// that have served their time at most once a second, so that an offence is cheap.
func (t *penalties) makeSpace(now time.Time) bool {
	if t.of == nil {
		t.of = map[netip.Prefix]*penalty{}
	}
	if now.Sub(t.swept) >= time.Second {
		t.swept = now
		for source, p := range t.of {
			if now.After(p.due) && now.After(p.until.Add(amnesty)) {
				delete(t.of, source)
			}
		}
	}
	return len(t.of) < maxOffenders
}
