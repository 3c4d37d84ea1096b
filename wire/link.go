package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// lingerTime is how long the last words of a connection may take: a server waits
// for the client to read them, and a client for them to arrive.
const lingerTime = 2 * time.Second

// A link is a connection on which nothing waits for ever: every read and write of
// this package goes through it. One goroutine reads, and one at a time writes.
//
// TLS, if any, lies between Read and Write, which a conversation uses, and receive
// and transmit, which have the deadlines: it is the network that stalls, and a
// write of TLS could not continue after a timeout.
type link struct {
	net.Conn                 // its Close does not notify the peer
	tls        *tls.Conn     // nil in the clear
	readStall  time.Duration // longest wait of each read
	readTotal  time.Duration // longest wait of the next reads altogether, once the first begins
	writeStall time.Duration // longest wait for a write to make progress
	minRate    int64         // bytes a second that a write must achieve; 0 for any
	heard      *atomic.Int64 // when the peer last sent anything, in Unix nanoseconds; nil if unknown
	deadline   atomic.Int64  // of all reads, in Unix nanoseconds; 0 for none
	unread     []byte        // received already, and to be read first
	ended      bool          // closeWrite was called
}

// limitTotal limits the reads that follow to d in total, from the first that has to
// wait for the network.
func (l *link) limitTotal(d time.Duration) { l.readStall, l.readTotal = 0, d }

// limitEach limits each of the reads that follow to d.
func (l *link) limitEach(d time.Duration) { l.readStall, l.readTotal = d, 0 }

// clearLimits leaves limiting the reads that follow to SetReadDeadline.
func (l *link) clearLimits() { l.readStall, l.readTotal = 0, 0 }

func (l *link) Read(p []byte) (int, error) {
	if len(l.unread) > 0 {
		n := copy(p, l.unread)
		l.unread = l.unread[n:]
		return n, nil
	}
	if l.tls != nil {
		return l.tls.Read(p)
	}
	return l.receive(p)
}

func (l *link) Write(p []byte) (int, error) {
	if l.tls != nil {
		return l.tls.Write(p)
	}
	return l.transmit(p)
}

// receive reads from the network.
func (l *link) receive(p []byte) (int, error) {
	if d := l.readStall + l.readTotal; d > 0 {
		l.SetReadDeadline(time.Now().Add(d))
		l.readTotal = 0
	}
	return l.Conn.Read(p)
}

// SetReadDeadline sets no deadline later than that of all reads.
func (l *link) SetReadDeadline(t time.Time) error {
	if by := l.deadline.Load(); by != 0 {
		if last := time.Unix(0, by); t.IsZero() || t.After(last) {
			t = last
		}
	}
	return l.Conn.SetReadDeadline(t)
}

// transmit writes to the network. It continues as long as bytes leave fast enough,
// because a slow peer is not a dead one, or the peer sends something, such as WAIT.
func (l *link) transmit(p []byte) (n int, err error) {
	rate := rateMeter{least: l.minRate}
	for {
		begun := time.Now()
		l.SetWriteDeadline(begun.Add(l.writeStall))
		m, err := l.Conn.Write(p[n:])
		n += m
		alive := m > 0 || l.heard != nil && l.heard.Load() > begun.UnixNano()
		if err == nil || !alive || !timedOut(err) || !rate.add(m, time.Since(begun)) {
			return n, err
		}
	}
}

// closeWrite ends the stream to the peer and leaves the other one open. A second
// call does nothing: the system would refuse it once both have ended.
func (l *link) closeWrite() error {
	if l.ended {
		return nil
	}
	l.ended = true
	if l.tls != nil {
		l.tls.CloseWrite() // fails during the handshake, when it is not needed
	}
	if c, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return l.Close() // a transport that cannot half-close
}

// closeNotify ends TLS properly, because the peer would take a bare close for an
// attack.
func (l *link) closeNotify() {
	if l.tls != nil {
		l.closeWrite()
	}
}

// finish closes the connection so that the peer gets the last bytes sent: a
// close with unread bytes in the receive buffer would reset the stream and
// destroy them (RFC 1122, 4.2.2.13). It waits for the peer's end at most d, and
// returns how many bytes came before it, of which nobody knows.
func (l *link) finish(d time.Duration) (dropped int64, err error) {
	defer l.Close()
	if err := l.closeWrite(); err != nil {
		return 0, err
	}
	l.clearLimits()
	return l.drop(d, d)
}

// drop reads what the peer still sends, without decrypting it, until the peer's end, but
// for at most total, and only as long as something like 4 KiB comes within each.
func (l *link) drop(each, total time.Duration) (dropped int64, err error) {
	last := time.Now().Add(total)
	var waste [4096]byte
	for {
		by := time.Now().Add(each)
		if by.After(last) {
			by = last
		}
		l.SetReadDeadline(by)
		for filled := 0; filled < len(waste); {
			n, err := l.receive(waste[filled:])
			if dropped += int64(n); err != nil {
				return dropped, err
			}
			filled += n
		}
	}
}

// closeWhenDone closes the connection when ctx ends, which wakes all that wait on
// it. The function that it returns stops that.
func (l *link) closeWhenDone(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, func() { l.Close() })
}

// cause returns why ctx ended, if it did, for an operation that failed with
// err: then closeWhenDone made it fail.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// timedOut reports whether a deadline, rather than the peer, ended the
// operation that failed with err.
func timedOut(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// A rateMeter measures how fast bytes pass while a goroutine waits for them.
type rateMeter struct {
	least  int64 // bytes a second
	waited time.Duration
	bytes  int64
}

// add adds bytes that took d, and reports whether the rate is high enough, which is
// known after every RateTime.
func (p *rateMeter) add(bytes int, d time.Duration) (ok bool) {
	p.bytes += int64(bytes)
	p.waited += d
	if p.waited < RateTime {
		return true
	}
	ok = float64(p.bytes) >= float64(p.least)*p.waited.Seconds()
	p.bytes, p.waited = 0, 0
	return ok
}
