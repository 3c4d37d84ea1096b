package commands_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/commands"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

// roundTrip is how long it takes to a far server and back.
const roundTrip = 40 * time.Millisecond

// TestRoundTrips counts how often an upload waits for a far server. Nothing
// else takes any of a bubble's time. To come back to a server with TLS saves
// processor time and no round trip: see wire.Encrypt.
func TestRoundTrips(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	newPair(t, certFile, keyFile, 1)
	certificate := must(tls.LoadX509KeyPair(certFile, keyFile))
	for _, tt := range []struct {
		files, most int
		tls         bool
		token       string
	}{{1, 3, false, ""}, {500, 8, false, ""}, {1, 4, true, ""}, {500, 9, true, ""}, {1, 4, true, anyToken}, {500, 9, true, anyToken}} {
		dir := filepath.Join(t.TempDir(), "d")
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		for i := range tt.files {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), make([]byte, 4<<10), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			store := storagetest.NewMemory()
			far := farServer{make(chan net.Conn), make(chan struct{}), new(sync.Once)}
			server := &wire.Server{Store: commands.Keeper(store)}
			dial, resumed := far.dial, false
			if tt.tls {
				server.Certificate = func() (*tls.Certificate, error) { return &certificate, nil }
				if tt.token != "" {
					server.Authenticate = func(token string) (wire.Identity, bool) { return anybody{server.Store}, token == anyToken }
				}
				config := &tls.Config{
					InsecureSkipVerify: true,
					ClientSessionCache: tls.NewLRUClientSessionCache(1),
					VerifyConnection:   func(s tls.ConnectionState) error { resumed = s.DidResume; return nil },
				}
				dial = func(ctx context.Context) (net.Conn, error) {
					conn, _ := far.dial(ctx)
					return wire.Encrypt(ctx, conn, config, 0)
				}
			}
			served := make(chan error)
			go func() { served <- server.Serve(far) }()
			for again := range 2 {
				begin := time.Now()
				if err := commands.Upload(t.Context(), dial, tt.token, dir); err != nil {
					t.Error(err)
				}
				took := time.Since(begin)
				t.Logf("%d files, TLS %t, token %t, resumed %t: %.2f round trips", tt.files, tt.tls, tt.token != "", resumed, float64(took)/float64(roundTrip))
				if trips := int((took + roundTrip - 1) / roundTrip); trips > tt.most {
					t.Errorf("%d files, TLS %t: %d round trips, want at most %d", tt.files, tt.tls, trips, tt.most)
				}
				if want := tt.tls && again > 0; resumed != want {
					t.Errorf("resumed: %t, want %t", resumed, want)
				}
			}
			server.Close()
			<-served
			time.Sleep(roundTrip) // what is still under way arrives
			if n := len(store.Files()); n != tt.files {
				t.Errorf("%d files were kept, want %d", n, tt.files)
			}
		})
	}
}

const anyToken = "the-token-of-anybody"

// Anybody may do anything.
type anybody struct{ store wire.Store }

func (anybody) Name() string                        { return "anybody" }
func (anybody) Valid() bool                         { return true }
func (a anybody) Permit(string) (wire.Store, error) { return a.store, nil }

// A farServer is a listener half a round trip away.
type farServer struct {
	conns  chan net.Conn
	closed chan struct{}
	once   *sync.Once
}

func (f farServer) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f farServer) Close() error   { f.once.Do(func() { close(f.closed) }); return nil }
func (f farServer) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects like TCP: after a round trip, when the server has heard of it
// for half of one.
func (f farServer) dial(context.Context) (net.Conn, error) {
	near, nearEnd := net.Pipe()
	farEnd, server := net.Pipe()
	go carry(farEnd, nearEnd)
	go carry(nearEnd, farEnd)
	time.Sleep(roundTrip / 2)
	f.conns <- addressed{server}
	time.Sleep(roundTrip / 2)
	return near, nil
}

// addressed is a pipe with an address to be logged.
type addressed struct{ net.Conn }

func (addressed) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// carry brings bytes to the other end half a round trip later. The network
// between holds any number of them.
func carry(to, from net.Conn) {
	type packet struct {
		bytes []byte
		due   time.Time
	}
	network := make(chan packet, 1<<16)
	go func() {
		defer to.Close()
		for p := range network {
			time.Sleep(time.Until(p.due))
			to.Write(p.bytes) // a failure shows at the reader
		}
	}()
	defer close(network)
	for {
		b := make([]byte, 64<<10)
		n, err := from.Read(b)
		if n > 0 {
			network <- packet{b[:n], time.Now().Add(roundTrip / 2)}
		}
		if err != nil {
			return
		}
	}
}
