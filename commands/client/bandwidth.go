package client

import (
	"net"
	"time"
)

// A Bandwidth limits what the connections of a run send, one after the other.
type Bandwidth struct {
	Rate int64     // bytes a second
	free time.Time // when what was sent is paid for
}

// bandwidthSlice is for how long a bandwidth may be exceeded, and the longest pause.
const bandwidthSlice = time.Second / 10

// limit returns conn with its writes limited. It may be called on nil.
func (b *Bandwidth) limit(conn net.Conn) net.Conn {
	if b == nil {
		return conn
	}
	return &throttled{conn, b}
}

// sent waits until n more bytes may have been sent.
func (b *Bandwidth) sent(n int) {
	now := time.Now()
	if least := now.Add(-bandwidthSlice); b.free.Before(least) {
		b.free = least // the time before is lost
	}
	b.free = b.free.Add(time.Duration(float64(n) / float64(b.Rate) * float64(time.Second)))
	time.Sleep(b.free.Sub(now))
}

// A throttled connection sends no faster than its bandwidth.
type throttled struct {
	net.Conn
	bandwidth *Bandwidth
}

// Write sends first and waits afterwards: a deadline that passes meanwhile finds
// that there was progress.
func (t *throttled) Write(p []byte) (n int, err error) {
	slice := int(max(t.bandwidth.Rate/int64(time.Second/bandwidthSlice), 1))
	for {
		m, err := t.Conn.Write(p[n:min(len(p), n+slice)])
		n += m
		t.bandwidth.sent(m)
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// CloseWrite ends the stream to the peer, and closes a transport that cannot.
func (t *throttled) CloseWrite() error {
	if c, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return t.Close()
}
