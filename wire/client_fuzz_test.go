package wire_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// FuzzClient has a server say anything, in pieces of any size, to each kind of
// request. The client must come to an end, and take nothing for kept unless the
// server said so with the right digest.
func FuzzClient(f *testing.F) {
	for op := range byte(5) {
		for _, said := range []string{"", str("Message: hi"), str(kept("a.bin", "xxx")), str(ok(1)) + str(saved(1, "f", "xxx")), str(ok(1)) + str("SAVED|upload=1|name=d|"),
			str("WAIT|") + str("ERROR|code=name|text=no|upload=1|"), str("ERROR|code=busy|text=later|"), str("OK|upload=1|offset=2|crc64nvme=" + crc("xx") + "|"),
			"HTTP/1.1 400 Bad Request\r\n\r\n", "\x16\x03\x01", "\x02\x01x", "\x01\xff\xff", str("SAVED|upload=2|") + str("|")} {
			f.Add([]byte(said), op, 0)
			f.Add([]byte(said), op, 1)
		}
	}
	f.Fuzz(func(t *testing.T, said []byte, op byte, piece int) {
		if len(said) > 10_000 {
			return
		}
		against(t, func(s *script) {
			heard := make(chan struct{})
			go func() {
				defer close(heard)
				io.Copy(io.Discard, s)
			}()
			for rest := said; len(rest) > 0; {
				n := len(rest)
				if piece > 0 {
					n = min(n, piece)
				}
				if _, err := s.Write(rest[:n]); err != nil {
					break
				}
				rest = rest[n:]
			}
			s.CloseWrite()
			<-heard
		}, func(t *testing.T, nc net.Conn) {
			if op%5 == 4 {
				wire.Ping(bg, nc, time.Second)
				return
			}
			c := wire.NewClient(nc, 0)
			defer c.Close()
			if got, err := converse(c, op%5); err == nil && got.Size == 3 && !strings.Contains(strings.ToLower(string(said)), "="+crc("xxx")+"\x00") {
				t.Errorf("%q was taken for a receipt: %+v", said, got)
			}
		})
	})
}

// converse asks a server for one thing.
func converse(c *wire.Client, op byte) (wire.Saved, error) {
	switch op {
	case 0:
		_, err := c.Say(bg, "hi")
		return wire.Saved{}, err
	case 1:
		return c.Blob(bg, xs(3), 3)
	case 2:
		a := known(3)
		a.ID = "id"
		return c.Upload(bg, a, xs(3))
	default:
		return wire.Saved{}, c.MakeFolder(bg, "d")
	}
}
