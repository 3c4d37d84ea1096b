package balancer

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
	"github.com/rs/zerolog"
)

// header is one of a client at an address, or of the balancer itself.
func header(t testing.TB, client string, more ...proxyproto.TLV) []byte {
	t.Helper()
	h := &proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}
	if client != "" {
		from := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(client))
		h = proxyproto.HeaderProxyFromAddrs(2, from, &net.TCPAddr{IP: from.IP, Port: 9000})
	}
	if err := h.SetTLVs(more); err != nil {
		t.Fatal(err)
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// listening returns a listener that takes connections from this machine for those
// of a balancer, or for those of clients, and what it logs.
func listening(t *testing.T, balancers ...string) (net.Listener, lines) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var from []netip.Prefix
	for _, b := range balancers {
		from = append(from, netip.MustParsePrefix(b))
	}
	log := make(lines, 10)
	l = Listener(l, from, zerolog.New(log))
	t.Cleanup(func() { l.Close() })
	return l, log
}

// lines are those of a log.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestClients: the connection has the client's address, and its bytes are those
// behind the header.
func TestClients(t *testing.T) {
	for name, test := range map[string]struct {
		header []byte
		want   string
	}{
		"IPv4":      {header(t, "192.0.2.7:1234"), "192.0.2.7:1234"},
		"IPv6":      {header(t, "[2001:db8::7]:1234"), "[2001:db8::7]:1234"},
		"extension": {header(t, "192.0.2.7:1234", proxyproto.TLV{Type: proxyproto.PP2_TYPE_AUTHORITY, Value: bytes.Repeat([]byte("x"), 2000)}), "192.0.2.7:1234"},
		"check":     {header(t, ""), ""},
	} {
		for _, piece := range []int{1, 15, 16, 17, 1 << 20} {
			t.Run(name, func(t *testing.T) {
				l, _ := listening(t, "10.0.0.0/8", "127.0.0.1/32")
				c := dial(t, l)
				go func() {
					for b := append(bytes.Clone(test.header), "hello"...); len(b) > 0; {
						n, _ := c.Write(b[:min(piece, len(b))])
						b = b[n:]
					}
					c.(*net.TCPConn).CloseWrite()
				}()
				s, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				want := test.want
				if want == "" {
					want = c.LocalAddr().String()
				}
				if got := s.RemoteAddr().String(); got != want {
					t.Errorf("the client is %s, want %s", got, want)
				}
				if b, err := io.ReadAll(s); string(b) != "hello" || err != nil {
					t.Errorf("got %q and %v", b, err)
				}
				if _, ok := s.(interface{ CloseWrite() error }); !ok {
					t.Error("cannot be closed for writing alone")
				}
			})
		}
	}
}

// TestNoHeader: what is no header closes the connection and is logged, and those
// behind it are accepted meanwhile.
func TestNoHeader(t *testing.T) {
	long := header(t, "192.0.2.7:1234")
	long[14], long[15] = 0xff, 0xff
	unknown := header(t, "192.0.2.7:1234")
	unknown[12] = 0x2f // no such command
	for name, begin := range map[string]string{
		"a message":  "hello, this is a client\n",
		"version 1":  "PROXY TCP4 192.0.2.7 192.0.2.8 1234 9000\r\n",
		"too long":   string(long),
		"nonsense":   string(unknown),
		"half of it": string(header(t, "192.0.2.7:1234")[:20]),
		"nothing":    "",
	} {
		t.Run(name, func(t *testing.T) {
			l, log := listening(t, "127.0.0.0/8")
			slow := dial(t, l) // sends nothing
			c := dial(t, l)
			io.WriteString(c, begin)
			c.(*net.TCPConn).CloseWrite()
			if b, _ := io.ReadAll(c); len(b) > 0 { // it is closed, maybe with a reset
				t.Errorf("answered %q", b)
			}
			next := dial(t, l)
			next.Write(header(t, "192.0.2.9:1"))
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			if got := s.RemoteAddr().String(); got != "192.0.2.9:1" {
				t.Errorf("accepted %s", got)
			}
			if line := <-log; !strings.Contains(line, "connection of a balancer refused") || !strings.Contains(line, c.LocalAddr().String()) {
				t.Errorf("logged %s", line)
			}
			slow.Close()
		})
	}
}

// TestOthers: who is no balancer cannot claim another address.
func TestOthers(t *testing.T) {
	l, _ := listening(t, "192.0.2.0/24", "2001:db8::/32")
	c := dial(t, l)
	claim := header(t, "192.0.2.7:1234")
	c.Write(claim)
	c.(*net.TCPConn).CloseWrite()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("the client is %v", s.RemoteAddr())
	}
	if b, _ := io.ReadAll(s); !bytes.Equal(b, claim) {
		t.Errorf("got %q", b)
	}
}

// TestClose: Accept ends, and no connection is left open.
func TestClose(t *testing.T) {
	l, _ := listening(t, "127.0.0.1/32")
	c := dial(t, l)
	c.Write(header(t, "192.0.2.7:1234")) // nobody accepts it
	l.Close()
	if _, err := l.Accept(); err == nil {
		t.Error("accepted although closed")
	}
	io.Copy(io.Discard, c) // until it is closed
}

// FuzzHeader: whatever a balancer sends, it is a client's address or an error, and
// what follows a header is not read.
func FuzzHeader(f *testing.F) {
	f.Add(header(f, "192.0.2.7:1234"))
	f.Add(header(f, "[2001:db8::7]:1234"))
	f.Add(header(f, ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		client, server := net.Pipe()
		defer server.Close()
		go func() {
			client.Write(append(b, "behind"...))
			client.Close()
		}()
		conn, err := clientOf(server)
		if err != nil {
			return
		}
		if conn.RemoteAddr() == nil {
			t.Error("no address")
		}
		if rest, _ := io.ReadAll(conn); len(b) >= headerStart && int(b[14])<<8|int(b[15]) == len(b)-headerStart && string(rest) != "behind" {
			t.Errorf("%q is left", rest)
		}
	})
}
