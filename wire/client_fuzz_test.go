package wire_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// FuzzRequest sends a request of any words and fields, with an end that agrees
// with some contents: what FuzzServer seldom gets right by itself.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{"f|", "f|size=3|", "./END|size=3|mtime=1732285920.000000005|mode=0640|", "f|digest=sha256|id=abc|", "folder|folder=1|",
		"f|size=-1|", "f|size=9223372036854775808|", "f|mtime=1e9|", "f|mode=9|", "f|size=3|size=4|", "../f|", "END|size=3|", "CANCEL|", "RESTART|", "HELLO|", "AUTH|token=x|", "|", "f|=|", "f|x"} {
		f.Add(text, "xxx")
	}
	f.Fuzz(func(t *testing.T, text, contents string) {
		if len(text) > wire.MaxString || len(contents) > 255 {
			return
		}
		fuzzServer(t, 0, []byte(str(text)+data(2, contents)+end(contents)+str("hello")), 0, false)
	})
}

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
