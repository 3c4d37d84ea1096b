package wire_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestWaitIsLife has a server that does not read for long: as long as it says
// WAIT, a client that cannot send goes on waiting.
func TestWaitIsLife(t *testing.T) {
	const size = 3 << 20
	for name, says := range map[string]bool{"says WAIT": true, "says nothing": false} {
		for what, do := range map[string]func(c *wire.Client) error{
			"upload": func(c *wire.Client) error { _, err := c.Upload(bg, known(size), xs(size)); return err },
			"blob":   func(c *wire.Client) error { _, err := c.Blob(bg, xs(size), size); return err },
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				against(t, func(s *script) {
					if what == "upload" {
						s.want("f|size=3145728|")
						s.say(ok(1))
					}
					for range 20 {
						time.Sleep(5 * time.Second)
						if says {
							s.say("WAIT|")
						}
					}
					if !says {
						return
					}
					if what == "blob" {
						s.want("Data 3145728")
						s.say(kept("b", strings.Repeat("x", size)))
						return
					}
					for got := s.next(); got != endOf(size); got = s.next() {
						if got != "Data 1048576" && got != "Data 0" {
							t.Errorf("the client sent %.200q", got)
							return
						}
					}
					s.say(saved(1, "f", strings.Repeat("x", size)))
				}, func(t *testing.T, nc net.Conn) {
					c := wire.NewClient(nc, 0)
					defer c.Close()
					begun := time.Now()
					err := do(c)
					if took := time.Since(begun); says != (took >= 100*time.Second) {
						t.Errorf("after %v: %v", took, err)
					}
					if says && err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}
