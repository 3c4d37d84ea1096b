package wire_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const busyReply = "ERROR|code=busy|"

// A distant connection comes from an address.
type distant struct {
	*duplex
	from net.Addr
}

func (d distant) RemoteAddr() net.Addr { return d.from }

// dialFrom is dial from an IP address.
func (w *world) dialFrom(ip string) *peer {
	near, far := newDuplex()
	p := newPeer(w.t, near)
	if w.server.Certificate != nil {
		p.halfCloser = tls.Client(strict{roomy(near)}, trusting())
	}
	w.l.accept <- distant{far, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1234}}
	go p.listen()
	synctest.Wait()
	return p
}

// welcome reports whether the server talks to the peer.
func (p *peer) welcome() bool {
	p.Write([]byte(str("hi")))
	replies := strings.Join(decode(p.heard()), " ")
	return replies == "Message: hi"
}

// TestMaxConns: who comes beyond is told in the own dialect, others go on, and
// when one has gone there is room again.
func TestMaxConns(t *testing.T) {
	dialects := map[string]struct{ says, hears string }{
		"this protocol": {str("hi"), busyReply},
		"lab":           {"\x01hello", busyReply},
		"raw text":      {"hello", "ERROR: the server has reached its connection limit"},
		"a ping":        {"", busyReply},
	}
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			serve(t, func(w *world) { w.server.MaxConns = 2 }, func(w *world) {
				first, second := w.dial(), w.dial()
				p := w.dial()
				p.send(d.says)
				must(t, p.CloseWrite())
				if strings.HasPrefix(d.hears, "ERROR: ") {
					p.hearBare(d.hears)
				} else {
					p.hear(d.hears)
				}
				p.wantClosed()
				w.wantDid()
				if !first.welcome() || !second.welcome() {
					t.Error("others suffer")
				}
				first.Close()
				synctest.Wait()
				third := w.dial()
				if !third.welcome() {
					t.Error("there is no room although one has gone")
				}
				third.Close()
				second.Close()
			})
		})
	}
}

// TestTurnedAway: those who say nothing are told as well, and few at a time.
func TestTurnedAway(t *testing.T) {
	serve(t, func(w *world) { w.server.MaxConns = 1 }, func(w *world) {
		first := w.dial()
		var peers []*peer
		for range 32 {
			peers = append(peers, w.dial())
		}
		near, far := newDuplex()
		late := newPeer(t, near)
		go late.listen()
		w.l.accept <- far
		late.hear(busyReply)
		late.wantClosed() // at once
		for _, p := range peers {
			p.wantOpen()
		}
		time.Sleep(2 * time.Second)
		for _, p := range peers {
			p.hear(busyReply)
			p.send("still talking") // which must not destroy what it was told
			p.wantClosed()
		}
		first.Close()
		synctest.Wait()
		p := w.dial()
		if !p.welcome() {
			t.Error("those who were turned away still count")
		}
		near, far = newDuplex()
		again := newPeer(t, near)
		go again.listen()
		w.l.accept <- far
		again.wantOpen() // until it shows its dialect
		again.Close()
		p.Close()
	})
}

// TestTurnedAwayOverTLS: a client learns it inside.
func TestTurnedAwayOverTLS(t *testing.T) {
	serve(t, overTLS(func(w *world) { w.server.MaxConns = 1 }), func(w *world) {
		first := w.dial()
		first.send(str("hi"))
		first.hear("Message: hi")
		p := w.dial()
		p.send(str("hi"))
		p.hear(busyReply)
		p.wantClosed()
		first.Close()
	})
}

// TestMaxConnsPerIP counts by address.
func TestMaxConnsPerIP(t *testing.T) {
	serve(t, func(w *world) { w.server.MaxConnsPerIP = 1 }, func(w *world) {
		for _, tt := range []struct {
			first, second string
			both          bool
		}{
			{"192.0.2.1", "192.0.2.1", false},
			{"192.0.2.1", "::ffff:192.0.2.1", false},
			{"192.0.2.1", "192.0.2.2", true},
			{"2001:db8::1", "2001:db8::2", false},
			{"2001:db8::1", "2001:db8:0:0:ffff::1", false},
			{"2001:db8::1", "2001:db8:0:1::1", true},
			{"fe80::1", "fe80::2", true},
			{"127.0.0.1", "127.0.0.1", true},
			{"::1", "::1", true},
		} {
			p, q := w.dialFrom(tt.first), w.dialFrom(tt.second)
			if !p.welcome() || q.welcome() != tt.both {
				t.Errorf("from %s, and then %s: want both welcome: %v", tt.first, tt.second, tt.both)
			}
			p.Close()
			q.Close()
			time.Sleep(5 * time.Second)
		}
	})
}

// TestAuthTimeout: who does not show what the server demands is gone, whatever it
// does meanwhile.
func TestAuthTimeout(t *testing.T) {
	serve(t, overTLS(nil), func(w *world) {
		near, far := newDuplex()
		w.l.accept <- far
		p := newPeer(t, near)
		go p.listen()
		p.lasts(30 * time.Second)
		p.Close()
	})
	serve(t, overTLS(func(w *world) { w.server.AuthTimeout = 3 * time.Second }), func(w *world) {
		near, far := newDuplex()
		w.l.accept <- far
		p := newPeer(t, near)
		go p.listen()
		dripping := p.drip("\x16\x03\x01\x01\x00\x01\x00", time.Second)
		p.lasts(3 * time.Second)
		p.Close()
		dripping.Wait()

		p = w.dial() // and who has is not
		p.send(str("hi"))
		p.hear("Message: hi")
		p.lasts(5 * time.Minute)
		p.Close()
	})
}

// TestMaxUnauthenticated: a client is admitted although unauthenticated ones hold
// all places, and the oldest of them is evicted.
func TestMaxUnauthenticated(t *testing.T) {
	for name, adapt := range map[string]func(*world){
		"unauthenticated": func(w *world) { w.server.MaxUnauthenticated = 3 },
		"in all":          func(w *world) { w.server.MaxConns = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, overTLS(adapt), func(w *world) {
				var others []*peer
				for range 3 {
					near, far := newDuplex()
					w.l.accept <- far
					p := newPeer(t, near)
					go p.listen()
					others = append(others, p)
				}
				p := w.dial()
				p.send(str("hi"))
				p.hear("Message: hi")
				others[0].wantClosed()
				others[1].wantOpen()
				others[2].wantOpen()
				p.Close()
				others[1].Close()
				others[2].Close()
			})
		})
	}
}

// TestMaxUploads counts connections of an address that send files.
func TestMaxUploads(t *testing.T) {
	serve(t, func(w *world) { w.server.MaxUploads = 1 }, func(w *world) {
		p, q, other := w.dialFrom("192.0.2.1"), w.dialFrom("192.0.2.1"), w.dialFrom("192.0.2.2")
		p.send(str("f|"), str("g|"))
		p.hear(ok(1), ok(2))
		other.send(str("h|"))
		other.hear(ok(1))
		q.send(str("i|"), data(2, "x"))
		q.hear("ERROR|code=too-many|upload=1|", "ERROR|code=too-many|")
		q.send(str("hi"))
		q.hear("Message: hi")
		p.send(end(""), end(""))
		p.hear(saved(1, "f", ""), saved(2, "g", ""))
		q.send(str("i|"), end(""))
		q.hear(ok(2), saved(2, "i", ""))
		for _, p := range []*peer{p, q, other} {
			p.Close()
		}
	})
}

// TestMaxConnsPerUser: who has a token cannot keep out others, not even from many
// addresses. Another connection of that user has a chance once one has ended.
func TestMaxConnsPerUser(t *testing.T) {
	limits := map[string]func(*world){
		"set":     func(w *world) { w.server.MaxConnsPerUser = 2 },
		"default": func(w *world) { w.server.MaxConns = 8 },
	}
	for name, adapt := range limits {
		t.Run(name, func(t *testing.T) {
			serve(t, func(w *world) {
				knowing(&visitor{name: "alice"}, &visitor{name: "bob"})(w)
				adapt(w)
			}, func(w *world) {
				one, two := w.dialFrom("192.0.2.1"), w.dialFrom("192.0.2.2")
				for _, p := range []*peer{one, two} {
					p.send(auth("alice"), str("hi"))
					p.hear("OK|", "Message: hi")
				}
				for range 3 { // what is refused does not count
					three := w.dialFrom("127.0.0.1")
					three.send(auth("alice"), str("hi"))
					three.hear("ERROR|code=busy|")
					three.wantClosed()
				}
				other := w.dialFrom("192.0.2.1")
				other.send(auth("bob"), str("hi"))
				other.hear("OK|", "Message: hi")
				one.Close()
				synctest.Wait()
				three := w.dialFrom("127.0.0.1")
				three.send(auth("alice"), str("hi"))
				three.hear("OK|", "Message: hi")
				for _, p := range []*peer{two, three, other} {
					p.Close()
				}
			})
		})
	}
}

// TestMaxMessage has texts that are longer than the server says.
func TestMaxMessage(t *testing.T) {
	short := func(w *world) { w.server.MaxMessage = 5 }
	serve(t, short, func(w *world) {
		p := w.dial()
		p.send(str("short"), str("longer"), str("a long name|"), str("CANCEL|"))
		p.hear("Message: short", "ERROR|code=too-large|", ok(1), "ERROR|code=cancelled|upload=1|")
		p.Close()
		w.wantDid("say short")
	})
	serve(t, short, func(w *world) {
		p := w.dial()
		p.send("raw text")
		must(t, p.CloseWrite())
		p.hearBare("ERROR: this server accepts messages of at most 5 bytes")
		p.wantClosed()
		w.wantDid()
	})
}

// TestUnauthenticatedInsideTLS: TLS alone is not enough where a token is required.
func TestUnauthenticatedInsideTLS(t *testing.T) {
	serve(t, func(w *world) {
		knowing(&visitor{name: "alice"})(w)
		w.server.MaxUnauthenticated = 2
	}, func(w *world) {
		begin := time.Now()
		first, second := w.dial(), w.dial()
		p := w.dial()
		p.send(auth("alice"), str("hi"))
		p.hear("OK|", "Message: hi")
		<-first.done
		if time.Since(begin) != 0 {
			t.Error("the oldest did not make room")
		}
		<-second.done
		if d := time.Since(begin); d != 30*time.Second {
			t.Errorf("a connection without a token lasted %v", d)
		}
		time.Sleep(time.Minute)
		p.send(str("still here"))
		p.hear("Message: still here")
		for _, p := range []*peer{first, second, p} {
			p.Close()
		}
	})
}

// TestMaxUploadsOfUser counts by user, wherever the connections come from.
func TestMaxUploadsOfUser(t *testing.T) {
	serve(t, func(w *world) {
		knowing(&visitor{name: "alice"}, &visitor{name: "bob"})(w)
		w.server.MaxUploads = 1
	}, func(w *world) {
		p, q, other := w.dialFrom("192.0.2.1"), w.dialFrom("127.0.0.1"), w.dialFrom("192.0.2.1")
		p.send(auth("alice"), str("f|"))
		p.hear("OK|", ok(1))
		q.send(auth("alice"), str("g|"))
		q.hear("OK|", "ERROR|code=too-many|upload=1|")
		other.send(auth("bob"), str("h|"))
		other.hear("OK|", ok(1))
		p.Close()
		synctest.Wait()
		q.send(str("g|"))
		q.hear(ok(2))
		q.Close()
		other.Close()
	})
}
