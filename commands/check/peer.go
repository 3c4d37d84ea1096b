package check

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// An ending is how the other side ended a connection.
type ending int

const (
	open  ending = iota
	ended        // FIN: an orderly end
	reset        // RST
)

// maxHeard is how much of what a server says is remembered.
const maxHeard = 64 << 10

// A peer is a connection to the server. A goroutine reads it until it ends.
type peer struct {
	ctx  context.Context // ends it
	conn *net.TCPConn
	most int           // bytes to remember
	slow time.Duration // between reads

	mu      sync.Mutex
	heard   []byte
	end     ending
	changed chan struct{} // closed at each change, and replaced
}

func newPeer(ctx context.Context, nc net.Conn) *peer { return newPeerOf(ctx, nc, maxHeard, 0) }

// newPeerOf remembers the first most bytes, and reads slowly.
func newPeerOf(ctx context.Context, nc net.Conn, most int, slow time.Duration) *peer {
	p := &peer{ctx: ctx, conn: nc.(*net.TCPConn), most: most, slow: slow, changed: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { nc.Close() }) // a write may wait for long
	go func() {
		defer stop()
		p.read()
	}()
	return p
}

func (p *peer) read() {
	buf := make([]byte, 8<<10)
	for {
		n, err := p.conn.Read(buf)
		p.mu.Lock()
		full := len(p.heard) >= p.most // a flood wakes nobody
		if !full {
			p.heard = append(p.heard, buf[:n]...)
		}
		switch {
		case err == io.EOF:
			p.end = ended
		case err != nil && !errors.Is(err, net.ErrClosed):
			p.end = reset
		}
		if !full || err != nil {
			close(p.changed)
			p.changed = make(chan struct{})
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
		if p.slow > 0 {
			time.Sleep(p.slow)
		}
	}
}

// await waits until met holds of what was heard and how the connection ended, or for
// at most limit, and reports whether it holds.
func (p *peer) await(limit time.Duration, met func(heard string, end ending) bool) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		p.mu.Lock()
		ok, changed := met(string(p.heard), p.end), p.changed
		p.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		case <-p.ctx.Done():
			return false
		}
	}
}

// state returns what was heard so far, and whether the other side ended the connection.
func (p *peer) state() (string, ending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.heard), p.end
}

// forget makes the next await see only what comes from now on.
func (p *peer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = nil
}

// close ends the connection. Where the server has ended its side, a reset spares its
// port the minute of TIME_WAIT in which it could not be started again.
func (p *peer) close() {
	if _, end := p.state(); end != open {
		p.conn.SetLinger(0)
	}
	p.conn.Close()
}

// abort resets the connection.
func (p *peer) abort() {
	p.conn.SetLinger(0)
	p.conn.Close()
}
