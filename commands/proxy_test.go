package commands_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A fault is what a proxy does to the bytes that go in one direction of a
// connection. Its zero value does nothing. Nothing in it depends on time or
// chance, so that the same fault meets the same byte again.
type fault struct {
	do  action
	at  int64  // before which byte of the direction; the first is 0
	bit uint   // of that byte, for flip
	run func() // for call

	piece int           // the most bytes forwarded at once; 0: what comes
	delay time.Duration // before each piece
}

// An action is what happens once, at a byte.
type action int

const (
	forward   action = iota
	reset            // both sides get a reset in place of all that follows
	stall            // nothing is forwarded any more
	halfClose        // the stream ends here; the rest is swallowed
	flip             // one bit is another
	call             // run is called before more is forwarded
)

// A plan is the faults of one connection.
type plan struct{ toServer, toClient fault }

// A proxy stands between clients and a server. Each connection meets the faults
// of its own plan; those after the last plan meet none.
type proxy struct {
	addr     string
	listener net.Listener
	target   atomic.Pointer[string]

	// Bytes that were forwarded, on all connections.
	toServer, toClient atomic.Int64

	running sync.WaitGroup
	closing chan struct{}
}

// startProxy starts a proxy in front of the server at target. It ends with the
// test.
func startProxy(t *testing.T, target string, plans ...plan) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), listener: l, closing: make(chan struct{})}
	p.retarget(target)
	p.running.Go(func() { p.accept(plans) })
	t.Cleanup(func() {
		close(p.closing)
		l.Close()
		p.running.Wait()
	})
	return p
}

// retarget sends connections to come to another server.
func (p *proxy) retarget(addr string) { p.target.Store(&addr) }

func (p *proxy) accept(plans []plan) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		var next plan
		if len(plans) > 0 {
			next, plans = plans[0], plans[1:]
		}
		p.running.Go(func() { p.serve(client.(*net.TCPConn), next) })
	}
}

// serve forwards one connection until both directions have ended.
func (p *proxy) serve(client *net.TCPConn, faults plan) {
	conn, err := net.Dial("tcp", *p.target.Load())
	if err != nil {
		resetAll(client)
		return
	}
	server := conn.(*net.TCPConn)
	ended := make(chan struct{})
	go func() { // reads and stalls end with the test
		select {
		case <-p.closing:
			resetAll(client, server)
		case <-ended:
		}
	}()
	var both sync.WaitGroup
	both.Go(func() { p.forward(server, client, faults.toServer, &p.toServer) })
	both.Go(func() { p.forward(client, server, faults.toClient, &p.toClient) })
	both.Wait()
	close(ended)
	client.Close()
	server.Close()
}

// forward copies one direction until its end, which it passes on.
func (p *proxy) forward(to, from *net.TCPConn, f fault, passed *atomic.Int64) {
	buffer := make([]byte, 64<<10)
	if f.piece > 0 {
		buffer = buffer[:f.piece]
	}
	for at := int64(0); ; {
		reach := buffer
		switch {
		case at == f.at && !p.act(to, from, f):
			return
		case at == f.at && f.do == flip:
			reach = buffer[:1]
		case at < f.at: // no read goes beyond the byte that something happens at
			reach = buffer[:min(int64(len(buffer)), f.at-at)]
		}
		n, err := from.Read(reach)
		if at == f.at && f.do == flip {
			reach[0] ^= 1 << f.bit
		}
		if f.delay > 0 {
			time.Sleep(f.delay)
		}
		// Counted before it goes: whoever sees the server's answer sees the count.
		passed.Add(int64(n))
		at += int64(n)
		if _, werr := to.Write(reach[:n]); werr != nil {
			resetAll(to, from)
			return
		}
		if err == io.EOF {
			to.CloseWrite()
			return
		}
		if err != nil { // one side is dead, and the other learns it as it would without a proxy
			resetAll(to, from)
			return
		}
	}
}

// act does what a fault does between two bytes, and reports whether forwarding
// goes on.
func (p *proxy) act(to, from *net.TCPConn, f fault) bool {
	switch f.do {
	case reset:
		resetAll(to, from)
		return false
	case stall:
		<-p.closing
		return false
	case halfClose:
		to.CloseWrite()
		io.Copy(io.Discard, from)
		return false
	case call:
		f.run()
	}
	return true
}

// resetAll closes connections so that their peers get a reset, not an end.
func resetAll(conns ...*net.TCPConn) {
	for _, c := range conns {
		c.SetLinger(0)
		c.Close()
	}
}
