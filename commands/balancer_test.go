package commands_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
)

// TestBalancer: behind a load balancer, limits are those of its clients, and
// receipts name them.
func TestBalancer(t *testing.T) {
	addr, lines := startServe(t, "--json", "--proxy-from", "127.0.0.1", "--max-conns-per-ip", "1")
	through := func(client string) (*bufio.Reader, net.Conn) {
		c, err := net.Dial("tcp", addr)
		must(t, err)
		t.Cleanup(func() { c.Close() })
		from := &net.TCPAddr{IP: net.ParseIP(client), Port: 1234}
		_, err = proxyproto.HeaderProxyFromAddrs(2, from, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9000}).WriteTo(c)
		must(t, err)
		return bufio.NewReader(c), c
	}
	say := func(r *bufio.Reader, c net.Conn, text string) string {
		io.WriteString(c, text+"\n")
		answer, _ := r.ReadString('\n')
		return answer
	}

	first, conn := through("192.0.2.7")
	if answer := say(first, conn, "one"); answer != "Message: one\n" {
		t.Errorf("the first client is told %q", answer)
	}
	second, other := through("192.0.2.8")
	if answer := say(second, other, "two"); answer != "Message: two\n" {
		t.Errorf("another client is told %q", answer)
	}
	third, same := through("192.0.2.7")
	if answer := say(third, same, "three"); strings.Contains(answer, "three") {
		t.Errorf("the first client's second connection is told %q", answer)
	}
	for missing := 2; missing > 0; {
		if line := nextLine(t, lines); strings.Contains(line, "192.0.2.7:1234") || strings.Contains(line, "192.0.2.8:1234") {
			missing--
		}
	}
}
