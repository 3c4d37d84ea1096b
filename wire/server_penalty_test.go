package wire_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/wire"
)

// TestPenalties: an address that does wrong again and again waits, and not for
// long. Nobody else does.
func TestPenalties(t *testing.T) {
	serve(t, nil, func(w *world) {
		garbage := func(ip string) bool { // and whether it was looked at
			p := w.dialFrom(ip)
			defer p.Close()
			p.Write([]byte("\x00"))
			return strings.Contains(fmt.Sprint(decode(p.heard())), "protocol")
		}
		welcome := func(ip string) bool {
			p := w.dialFrom(ip)
			defer p.Close()
			return p.welcome()
		}
		const bad, same, good, local = "2001:db8::bad", "2001:db8::1", "192.0.2.1", "127.0.0.1"
		for range 4 {
			if !garbage(bad) {
				t.Fatal("refused too early")
			}
		}
		if !welcome(same) {
			t.Error("refused too early")
		}
		garbage(bad)
		if welcome(bad) || welcome(same) {
			t.Error("not refused")
		}
		if !welcome(good) || !welcome(local) {
			t.Error("others are refused")
		}
		begin := time.Now()
		for !welcome(same) {
			garbage(bad)
			time.Sleep(time.Second)
		}
		if d := time.Since(begin); d < 9*time.Second || d > 20*time.Second {
			t.Errorf("refused for %v", d)
		}
		// And then there is a time in which it is not, whatever comes.
		for range 9 {
			for range 10 {
				garbage(bad)
			}
			if !welcome(same) {
				t.Error("refused again at once")
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second)
		garbage(bad)
		if welcome(same) {
			t.Error("not refused again")
		}
		begin = time.Now()
		for !welcome(same) {
			garbage(bad)
			time.Sleep(time.Second)
		}
		if d := time.Since(begin); d > 21*time.Second {
			t.Errorf("refused for %v", d)
		}
		for range 100 {
			if !garbage(local) {
				t.Fatal("this machine's own programs are refused")
			}
		}
	})
}

// TestPenaltyIsForgotten: an offence now and then has no consequence.
func TestPenaltyIsForgotten(t *testing.T) {
	serve(t, nil, func(w *world) {
		for range 100 {
			p := w.dialFrom("192.0.2.1")
			p.send("\x00")
			p.hear("ERROR|code=protocol|")
			p.wantClosed()
			time.Sleep(3 * time.Second)
		}
	})
}

// TestNoOffence has clients that come often and end as they should.
func TestNoOffence(t *testing.T) {
	for name, adapt := range map[string]func(*world){
		"in the clear": nil, "TLS": overTLS(nil), "tokens": knowing(&visitor{name: "alice"}),
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, adapt, func(w *world) {
				for range 100 {
					p := w.dialFrom("192.0.2.1")
					must(t, p.CloseWrite()) // a ping
					p.wantClosed()
					must(t, p.below.Close())
				}
				if n := w.server.Offenders(); n > 0 {
					t.Errorf("%d offenders", n)
				}
			})
		})
	}
}

// TestPenaltyTable: there are only so many offenders.
func TestPenaltyTable(t *testing.T) {
	serve(t, nil, func(w *world) {
		ip := func(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255) }
		offend := func(i int) {
			p := w.dialFrom(ip(i))
			p.Write([]byte("\x00"))
			synctest.Wait()
			p.Close()
		}
		for range 5 { // all at once, or they would be forgotten
			for i := range 10 {
				offend(i)
			}
		}
		for i := range wire.MaxOffenders {
			offend(1000 + i)
		}
		if n := w.server.Offenders(); n != wire.MaxOffenders {
			t.Errorf("the table has %d entries", n)
		}
		if p := w.dialFrom(ip(0)); p.welcome() {
			t.Error("an offender was forgotten too early")
		}
		time.Sleep(time.Minute)
		offend(100)
		if n := w.server.Offenders(); n > 1 {
			t.Errorf("the table still has %d entries", n)
		}
	})
}

// TestGuessing: an address from which wrong tokens come waits.
func TestGuessing(t *testing.T) {
	serve(t, knowing(&visitor{name: "alice"}), func(w *world) {
		guess := func(name string) string {
			p := w.dialFrom("192.0.2.1")
			defer p.Close()
			p.Write([]byte(auth(name) + str("hi")))
			return strings.Join(decode(p.heard()), " ")
		}
		for range 3 {
			if got := guess("mallory"); got != denied {
				t.Errorf("the server said %q", got)
			}
		}
		for range 260 { // more than one address may have at once
			if got := guess("alice"); got != "OK| Message: hi" {
				t.Fatalf("the server said %q to a valid token", got)
			}
		}
		if got := guess("mallory"); got != "ERROR|code=busy|" {
			t.Errorf("the server said %q", got)
		}
		time.Sleep(20 * time.Second)
		if got := guess("alice"); got != "OK| Message: hi" {
			t.Errorf("the server said %q", got)
		}
	})
}

// TestFloodOfLines: what peers cause does not fill the log.
func TestFloodOfLines(t *testing.T) {
	var log bytes.Buffer
	serve(t, func(w *world) {
		w.server.Log = zerolog.New(&log).Level(zerolog.WarnLevel)
		w.server.MaxConnsPerIP = 1
	}, func(w *world) {
		first := w.dialFrom("192.0.2.1")
		for range 1000 {
			w.dialFrom("192.0.2.1").Close()
		}
		time.Sleep(10 * time.Second)
		w.dialFrom("192.0.2.1").Close()
		for range 1000 {
			p := w.dialFrom("127.0.0.1")
			p.Write([]byte("\x00"))
			p.heard()
			p.Close()
		}
		synctest.Wait()
		if n := strings.Count(log.String(), "\n"); n > 110 {
			t.Errorf("%d lines", n)
		}
		if !strings.Contains(log.String(), `"left_out":999`) {
			t.Error("nothing tells how many were left out")
		}
		first.Close()
	})
}
