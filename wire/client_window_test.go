package wire_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestClientWindow has a server that lets the client announce more, and is so far away that
// this is of use, or not.
func TestClientWindow(t *testing.T) {
	for _, test := range []struct {
		what  string
		away  time.Duration
		ahead string
		want  int
	}{
		{"near", 100 * time.Microsecond, "8192", wire.MaxAhead},
		{"far", 2 * time.Millisecond, "8192", 200},
		{"far away", time.Second, "8192", 8192},
		{"too much", time.Second, "1000000", wire.DefaultMaxAhead},
		{"few", time.Second, "300", 300},
		{"fewer than any", time.Second, "5", wire.MaxAhead},
		{"no number", time.Second, "x", wire.MaxAhead},
		{"none", time.Second, "", wire.MaxAhead},
	} {
		t.Run(test.what, func(t *testing.T) {
			talk(t, func(s *script) {
				s.want("f|size=1|")
				time.Sleep(test.away)
				s.say(fmt.Sprintf("OK|upload=1|offset=0|ahead=%s|", test.ahead))
				for range test.want - 1 {
					s.want("f|size=1|")
				}
				s.want("Data 1", endOf(1))
			}, func(t *testing.T, c *wire.Client) {
				first, err := c.Announce(bg, sized("f", 1))
				must(t, err)
				must(t, c.Flush(bg))
				<-first.Answered()
				n := 1
				for ; c.MayAnnounce(); n++ {
					_, err := c.Announce(bg, sized("f", 1))
					must(t, err)
				}
				if n != test.want {
					t.Errorf("%d files may be announced, want %d", n, test.want)
				}
				first.Send(bg, xs(1))
				c.Flush(bg)
				if !c.MayAnnounce() {
					t.Error("none may be announced after one was sent")
				}
			})
		})
	}
}

// TestClientWindowShrinks has a server whose first answer takes long for another reason than
// its distance.
func TestClientWindowShrinks(t *testing.T) {
	talk(t, func(s *script) {
		s.want("f|size=1|")
		time.Sleep(time.Second)
		s.say("OK|upload=1|offset=0|ahead=8192|")
		for range wire.MaxAhead {
			s.want("f|size=1|")
		}
		time.Sleep(time.Millisecond)
		s.say(ok(2))
		s.want("EOF")
	}, func(t *testing.T, c *wire.Client) {
		announce := func() *wire.Transfer {
			f, err := c.Announce(bg, sized("f", 1))
			must(t, err)
			return f
		}
		first := announce()
		must(t, c.Flush(bg))
		<-first.Answered()
		second := announce()
		for range wire.MaxAhead - 1 {
			announce()
		}
		if !c.MayAnnounce() {
			t.Error("no more files may be announced")
		}
		must(t, c.Flush(bg))
		<-second.Answered()
		if c.MayAnnounce() {
			t.Error("more files may be announced than are answered in a round trip")
		}
	})
}
