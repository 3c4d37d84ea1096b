package commands

import (
	"errors"
	"io/fs"
	"net"
	"syscall"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/systemd"
	"github.com/labnet/labnet/wire"
)

// statusSocket is the name of a socket that is passed to this process for the status alone.
const statusSocket = "status"

// passedSockets returns the sockets that were passed to this process: those to receive
// on, and those for the status alone.
func passedSockets() (main, status []net.Listener, err error) {
	passed, err := systemd.Listeners()
	for _, l := range passed {
		if l.Name == statusSocket {
			status = append(status, l.Listener)
		} else {
			main = append(main, l.Listener)
		}
	}
	return main, status, err
}

// listen returns the sockets that were passed to this process or, if there are none, one
// that listens at addr, which a flag has named; none if addr is "". Each passes check.
func listen(passed []net.Listener, flag, addr string, check func(net.Addr) error) ([]net.Listener, error) {
	if len(passed) == 0 {
		if addr == "" {
			return nil, nil
		}
		l, err := listenChecked(addr, check)
		if err != nil {
			return nil, &listenError{flag, addr, err}
		}
		return []net.Listener{l}, nil
	}
	for _, l := range passed {
		if err := check(l.Addr()); err != nil {
			closeAll(passed)
			return nil, &listenError{flag, l.Addr().String(), err}
		}
	}
	return passed, nil
}

// listenChecked listens at addr if that passes check, so that nobody can connect to
// one that does not.
func listenChecked(addr string, check func(net.Addr) error) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", addr)
	if err == nil {
		err = check(resolved)
	}
	if err != nil {
		return nil, err
	}
	network := "tcp"
	if resolved.IP.To4() != nil {
		network = "tcp4" // with "tcp", 0.0.0.0 would stand for all addresses of IPv6, too
	}
	return net.Listen(network, addr)
}

// A listenError means that a server cannot listen at an address.
type listenError struct {
	flag string // that named the address
	addr string
	err  error
}

func (e *listenError) Error() string {
	return "listen " + escape.Name(e.addr) + ": " + problem.Of(e.err).Message
}
func (e *listenError) Unwrap() error { return e.err }

func (e *listenError) Describe() problem.Description {
	d := problem.Of(e.err)
	d.Message = e.Error()
	var unknown *net.DNSError
	switch {
	case errors.As(e.err, &unknown):
		d.Hint = "choose an address of this machine with " + e.flag + ", such as 127.0.0.1:9000, or :9000 for all of them"
	case errors.Is(e.err, syscall.EADDRINUSE):
		d.Kind, d.Hint = "address-in-use", "another server may be running: choose another port with "+e.flag
	case errors.Is(e.err, syscall.EADDRNOTAVAIL):
		d.Hint = "this machine does not have that address: choose another with " + e.flag
	case errors.Is(e.err, fs.ErrPermission):
		d.Hint = "ports below 1024 may need root: choose another with " + e.flag
	}
	return d
}

// A serving is a server on one of its sockets.
type serving struct {
	*wire.Server
	on net.Listener
}

func servingOn(srv *wire.Server, listeners []net.Listener) (list []serving) {
	for _, l := range listeners {
		list = append(list, serving{srv, l})
	}
	return list
}

// serveAll serves all. If one fails, none goes on.
func serveAll(list []serving) error {
	ended := make(chan error)
	for _, s := range list {
		go func() { ended <- s.Serve(s.on) }()
	}
	err := <-ended
	if !errors.Is(err, wire.ErrServerClosed) {
		for _, s := range list {
			s.Close()
		}
	}
	for range list[1:] {
		<-ended
	}
	return err
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// isLocal reports whether only this machine reaches an address.
func isLocal(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return a.Network() == "unix" || ok && tcp.IP.IsLoopback()
}
