// Package delay stands a distance between a client and a server on the same
// machine: a TCP proxy that adds latency and nothing else.
package delay

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Proxy hands connections on to a server as if it were RTT away.
//
// Every byte, and the end of the stream, arrives RTT/2 after it was sent, in
// either direction. The handshake, which the loopback interface makes in no
// time, is charged too: the server hears of a connection RTT·3/2 after it was
// opened, and whatever a client sends before it heard anything arrives a full
// RTT later than it would on an open connection. So a client that sends at once
// and waits for one answer takes two round trips, as it would over a network.
//
// There is no limit of rate, no loss and no slow start. Up to Window bytes may
// be under way in each direction before the sender is made to wait.
type Proxy struct {
	RTT    time.Duration
	Window int // 256 MiB if 0

	Carried *atomic.Int64 // counts the bytes that have arrived, in both directions, unless nil

	// Dial opens a connection to the server.
	Dial func() (net.Conn, error)
}

const defaultWindow = 256 << 20

// Serve hands on what listener accepts, until it is closed, and returns when
// the last connection has ended.
func (p *Proxy) Serve(listener net.Listener) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		connections.Go(func() { p.Connect(client) })
	}
}

// Connect hands one connection on, and returns when both directions have ended
// and both connections are closed.
func (p *Proxy) Connect(client net.Conn) {
	opened := time.Now()
	window := p.Window
	if window == 0 {
		window = defaultWindow
	}
	up, down := newPipe(window), newPipe(window)

	var heard atomic.Bool // the client got something: it knows the connection to be open
	var running sync.WaitGroup
	running.Go(func() {
		up.fill(client, func() time.Duration {
			if heard.Load() {
				return p.RTT / 2
			}
			return p.RTT/2 + p.RTT
		})
	})

	time.Sleep(time.Until(opened.Add(p.RTT/2 + p.RTT)))
	server, err := p.Dial()
	if err != nil {
		up.abandon()
		client.Close()
		running.Wait()
		return
	}
	running.Go(func() { down.fill(server, func() time.Duration { return p.RTT / 2 }) })

	drains := make(chan error, 2)
	go func() { drains <- up.drain(server, nil, p.Carried) }()
	go func() { drains <- down.drain(client, &heard, p.Carried) }()
	for range 2 {
		if err := <-drains; err != nil { // one side is gone: so is the connection
			client.Close()
			server.Close()
		}
	}
	client.Close()
	server.Close()
	running.Wait()
}

// closeWrite ends the stream that conn writes; what has no half-closed state
// is closed.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}
