package commands

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/labnet/labnet/wire"
)

// listen returns the sockets that were passed to this process or, if there are
// none, one that listens at addr. It returns at least one.
func listen(addr string) ([]net.Listener, error) {
	passed, err := passedListeners()
	if err != nil || len(passed) > 0 {
		return passed, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &itemError{"listen " + addr, err}
	}
	return []net.Listener{l}, nil
}

// serveAll is srv.Serve for several listeners. If one fails, none goes on.
func serveAll(srv *wire.Server, listeners []net.Listener) error {
	ended := make(chan error)
	for _, l := range listeners {
		go func() { ended <- srv.Serve(l) }()
	}
	err := <-ended
	if !errors.Is(err, wire.ErrServerClosed) {
		srv.Close()
	}
	for range listeners[1:] {
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

// writeAddrFile puts the addresses, each on a line, into a file, which appears
// complete.
func writeAddrFile(name string, listeners []net.Listener) error {
	if name == "" {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	for _, l := range listeners {
		_, e := fmt.Fprintln(tmp, l.Addr())
		err = errors.Join(err, e)
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}
