// Package balancer gives connections that come through a load balancer the address
// of the client, so that limits, penalties and the log are about clients. Balancers
// say it by the PROXY protocol, version 2
// (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt).
package balancer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
	"github.com/rs/zerolog"
)

const (
	// headerTime is how long a balancer may take for the header, which it sends
	// at once.
	headerTime = 5 * time.Second

	// maxHeaders is how many connections of balancers wait for their header at the
	// same time. Those that come after them wait to be accepted.
	maxHeaders = 256

	// The beginning of a header ends with the length of what follows. Ten times of
	// what balancers add to the addresses fits into the longest.
	headerStart = 16
	maxHeader   = 4096
)

// Listener returns a listener of which each connection from one of the addresses
// must begin with a header of the PROXY protocol, and has the address in there as its
// RemoteAddr. A connection without a header is closed, and said in the log. All other
// connections are those of l, which it takes over.
func Listener(l net.Listener, from []netip.Prefix, log zerolog.Logger) net.Listener {
	b := &listener{
		Listener: l,
		from:     from,
		log:      log,
		reading:  make(chan struct{}, maxHeaders),
		accepted: make(chan accepted),
		closed:   make(chan struct{}),
	}
	go b.run()
	return b
}

type listener struct {
	net.Listener
	from     []netip.Prefix
	log      zerolog.Logger
	reading  chan struct{} // full while maxHeaders are read
	accepted chan accepted
	closing  sync.Once
	closed   chan struct{}
}

type accepted struct {
	conn net.Conn
	err  error
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// run accepts connections until the listener is closed. Nobody waits for the header
// of another.
func (l *listener) run() {
	for {
		conn, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			l.pass(nil, err)
			return
		}
		if err != nil || !l.isBalancer(conn.RemoteAddr()) {
			l.pass(conn, err)
			continue
		}
		select {
		case l.reading <- struct{}{}:
		case <-l.closed:
			conn.Close()
			continue
		}
		go func() {
			client, err := clientOf(conn)
			<-l.reading
			if err != nil {
				l.log.Warn().Stringer("remote", conn.RemoteAddr()).Err(err).Msg("connection of a balancer refused")
				conn.Close()
				return
			}
			l.pass(client, nil)
		}()
	}
}

// pass hands a connection or an error to Accept.
func (l *listener) pass(conn net.Conn, err error) {
	select {
	case l.accepted <- accepted{conn, err}:
	case <-l.closed:
		if conn != nil {
			conn.Close()
		}
	}
}

func (l *listener) isBalancer(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(l.from, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// clientOf reads the header and nothing behind it.
func clientOf(conn net.Conn) (net.Conn, error) {
	if err := conn.SetReadDeadline(time.Now().Add(headerTime)); err != nil {
		return nil, err
	}
	header := make([]byte, headerStart, 256)
	if _, err := io.ReadFull(conn, header); err != nil {
		return nil, fmt.Errorf("no header of the PROXY protocol: %w", err)
	}
	if !bytes.HasPrefix(header, proxyproto.SIGV2) {
		return nil, errors.New("no header of the PROXY protocol, version 2")
	}
	n := int(binary.BigEndian.Uint16(header[headerStart-2:]))
	if headerStart+n > maxHeader {
		return nil, fmt.Errorf("header of the PROXY protocol of %d bytes, more than %d", headerStart+n, maxHeader)
	}
	header = append(header, make([]byte, n)...)
	if _, err := io.ReadFull(conn, header[headerStart:]); err != nil {
		return nil, fmt.Errorf("header of the PROXY protocol: %w", err)
	}
	h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(header)))
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	source, _, ok := h.TCPAddrs()
	if !ok || h.Command.IsLocal() {
		return conn, nil // the balancer itself, for example its check
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &tcpConn{tcp, source}, nil
	}
	return &otherConn{conn, source}, nil
}

// A tcpConn is a *net.TCPConn from elsewhere, with all that this can do.
type tcpConn struct {
	*net.TCPConn
	remote net.Addr
}

func (c *tcpConn) RemoteAddr() net.Addr { return c.remote }

type otherConn struct {
	net.Conn
	remote net.Addr
}

func (c *otherConn) RemoteAddr() net.Addr { return c.remote }
