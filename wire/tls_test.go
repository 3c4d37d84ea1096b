package wire_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/wire"
)

// identity is the certificate of the servers of these tests.
var identity = sync.OnceValue(func() *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), // a bubble's time begins in 2000
		DNSNames:     []string{"server"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

// encrypted makes a server speak TLS.
func encrypted(s *wire.Server) {
	s.Certificate = func() (*tls.Certificate, error) { return identity(), nil }
}

// trusting is the config of a client that knows the identity.
func trusting() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(identity().Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "server"}
}

// encrypt begins TLS as a client.
func encrypt(t testing.TB, nc net.Conn) net.Conn {
	t.Helper()
	if near, ok := nc.(*duplex); ok {
		nc = roomy(near)
	}
	nc, err := wire.Encrypt(bg, nc, trusting(), 0)
	must(t, err)
	return nc
}

// A spacious connection takes all that the other end sends at once, as TCP would,
// where crypto/tls writes before it has read all.
type spacious struct {
	*duplex
	r *bufio.Reader
}

func roomy(d *duplex) spacious { return spacious{d, bufio.NewReaderSize(d, 64<<10)} }

func (s spacious) Read(p []byte) (int, error) { return s.r.Read(p) }

// tlsServer is a server's end of TLS.
func tlsServer(far net.Conn) *tls.Conn {
	return tls.Server(far, &tls.Config{Certificates: []tls.Certificate{*identity()}})
}

// overTLS is adapt for a server that speaks TLS.
func overTLS(adapt func(*world)) func(*world) {
	return func(w *world) {
		if adapt != nil {
			adapt(w)
		}
		encrypted(w.server)
	}
}

// A strict connection does not let crypto/tls take the end of TCP for one of TLS.
type strict struct{ spacious }

var errBareEnd = errors.New("TCP ended, and TLS did not")

func (s strict) Read(p []byte) (int, error) {
	n, err := s.spacious.Read(p)
	if err == io.EOF {
		err = errBareEnd
	}
	return n, err
}

// TestConversationsOverTLS holds all conversations inside TLS, and those of the
// other dialects too.
func TestConversationsOverTLS(t *testing.T) {
	raw := conversation{name: "raw text", lab: true, ends: true, steps: []step{{"żółw", hear("Message: żółw")}}, did: []string{"say żółw"}}
	for _, c := range slices.Concat([]conversation{raw}, conversations, labConversations, refusals, resumptions, resumeRefusals, folders) {
		c.adapt = overTLS(c.adapt)
		t.Run(c.name, c.run)
	}
}

// TestPlainRefused comes in the clear to a server that speaks TLS. Nothing is
// kept, nor told to anybody.
func TestPlainRefused(t *testing.T) {
	const reply, bare = "ERROR|code=tls-required|", "ERROR: this server requires TLS"
	for _, tt := range []struct{ name, send, bare string }{
		{"say", str("hi"), ""},
		{"upload", str("f|") + data(2, "x") + end("x"), ""},
		{"upload that waits", str("f|size=1|"), ""},
		{"blob", data(2, "x"), ""},
		{"lab text", "\x01hello", bare},
		{"lab file", "\x01hello" + data(2, "x"), bare},
		{"raw text", "hello\n", bare},
		{"neither", "\x00", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, func(w *world) {
				encrypted(w.server)
				w.store.err = &wire.Error{Code: wire.CodeReadOnly, Text: "secret"}
			}, func(w *world) {
				near, far := newDuplex()
				w.l.accept <- far
				p := newPeer(t, near)
				go p.listen()
				p.send(tt.send)
				if tt.bare != "" {
					p.hearBare(tt.bare)
				} else {
					p.hear(reply)
				}
				p.wantClosed()
				w.wantDid()
				w.store.wantFiles(t, nil)
			})
		})
	}
	t.Run("ping", func(t *testing.T) {
		serve(t, func(w *world) {
			encrypted(w.server)
			w.store.err = &wire.Error{Code: wire.CodeReadOnly, Text: "secret"}
		}, func(w *world) {
			near, far := newDuplex()
			w.l.accept <- far
			p := newPeer(t, near)
			go p.listen()
			must(t, p.CloseWrite())
			p.hear("ERROR|code=tls-required|")
			p.wantClosed()
			w.wantDid()
		})
	})
}

// TestPingOverTLS: who may listen learns what is wrong with the store.
func TestPingOverTLS(t *testing.T) {
	for name, failed := range map[string]error{"well": nil, "failed": &wire.Error{Code: wire.CodeReadOnly, Text: "no"}} {
		t.Run(name, func(t *testing.T) {
			serve(t, func(w *world) {
				encrypted(w.server)
				w.store.err = failed
			}, func(w *world) {
				near, far := newDuplex()
				w.l.accept <- far
				err := wire.Ping(bg, encrypt(t, near), 0)
				if fmt.Sprint(err) != fmt.Sprint(failed) {
					t.Errorf("Ping: %v, want %v", err, failed)
				}
				synctest.Wait()
				w.wantDid("ping")
			})
		})
	}
}

// TestEveryCutOverTLS ends TCP, and not TLS, after each record of a client, or
// in the next one. That is not the end of a stream: it ends no text and is no
// ping.
func TestEveryCutOverTLS(t *testing.T) {
	for _, c := range []conversation{
		{name: "ping", steps: []step{{"", nil}}},
		{name: "raw text", steps: []step{{"żółw", nil}}},
		{name: "lab text", steps: []step{{"\x01hello", nil}}},
		{name: "a lab letter", steps: []step{{"\x01a", nil}}},
		{name: "ping with a token", steps: []step{{auth("alice"), nil}}},
		{name: "blob with a token", steps: []step{{auth("alice") + data(2, "hello"), nil}}, files: map[string]string{"#1": "hello"}},
		{name: "blob", steps: []step{{data(2, "hello"), nil}}, files: map[string]string{"#1": "hello"}},
		{name: "upload", steps: []step{{str("f|") + data(2, "ab") + end("ab"), nil}}, files: map[string]string{"f": "ab"}},
	} {
		for how, partial := range map[string]string{"after a record": "", "in a header": "\x17\x03", "in a record": "\x17\x03\x03\x00\x20abc"} {
			t.Run(c.name+", "+how, func(t *testing.T) {
				sent := c.steps[0].send
				for cut := range len(sent) + 1 {
					synctest.Test(t, func(t *testing.T) {
						var log bytes.Buffer
						w := start(t, func(w *world) {
							encrypted(w.server)
							if strings.HasPrefix(sent, auth("alice")) {
								knowing(&visitor{name: "alice"})(w)
							}
							w.server.Log = zerolog.New(&log)
						})
						p := w.dial()
						must(t, p.halfCloser.(*tls.Conn).Handshake())
						for i := range cut {
							p.send(sent[i : i+1])
						}
						if partial != "" {
							_, err := io.WriteString(p.below, partial)
							must(t, err)
						}
						must(t, p.below.out.Close())
						<-p.done
						w.wantHonest(c.files, p.heard())
						if slices.Contains(w.did(), "ping") || strings.Contains(strings.Join(w.did(), ""), "say") {
							t.Errorf("cut after %q, it did %q", sent[:cut], w.did())
						}
						p.Close()
						w.finish()
						if !strings.Contains(log.String(), "cut off") {
							t.Errorf("cut after %q, the log says: %s", sent[:cut], &log)
						}
					})
				}
			})
		}
	}
}

// A limited connection ends, without a word, after so many writes.
type limited struct {
	*duplex
	left *int
}

func (l limited) Write(p []byte) (int, error) {
	if *l.left == 0 {
		l.Close()
		return 0, net.ErrClosed
	}
	*l.left--
	return l.duplex.Write(p)
}

// TestServerCutOverTLS ends TCP after each record of the server. The client must
// not take that for an answer.
func TestServerCutOverTLS(t *testing.T) {
	const enough = 100
	for name, tt := range map[string]struct {
		call func(nc net.Conn) error
		told func(w *world) bool // what the client was told is true
		last int                 // how many of the last records the client can do without
	}{
		"ping": {func(nc net.Conn) error { return wire.Ping(bg, nc, 0) }, func(*world) bool { return true }, 0},
		"say": {func(nc net.Conn) error {
			c := wire.NewClient(nc, 0)
			defer c.Close()
			_, err := c.Say(bg, "hi")
			return err
		}, func(w *world) bool { return slices.Contains(w.did(), "say hi") }, 1},
		"say with a token": {func(nc net.Conn) error {
			c := wire.NewClient(nc, 0)
			defer c.Close()
			must(t, c.Authenticate(tokenOf("alice")))
			_, err := c.Say(bg, "hi")
			return err
		}, func(w *world) bool { return slices.Contains(w.did(), "say hi") }, 1},
		"upload": {func(nc net.Conn) error {
			c := wire.NewClient(nc, 0)
			defer c.Close()
			_, err := c.Upload(bg, known(3), strings.NewReader("abc"))
			return err
		}, func(w *world) bool { return w.store.visible()["f"] == "abc" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			records := 0
			try := func(writes int) (err error) {
				serve(t, overTLS(nil), func(w *world) {
					near, far := newDuplex()
					left := writes
					w.l.accept <- limited{far, &left}
					var nc net.Conn
					if nc, err = wire.Encrypt(bg, roomy(near), trusting(), 0); err == nil {
						err = tt.call(nc)
					}
					near.Close()
					synctest.Wait()
					records = writes - left
					if err == nil && !tt.told(w) {
						t.Errorf("after %d records: it was told so, but did %q", writes, w.did())
					}
				})
				return err
			}
			must(t, try(enough))
			all := records
			for n := range all - tt.last {
				if err := try(n); err == nil {
					t.Errorf("no error after %d of %d records", n, all)
				}
			}
		})
	}
}

// TestSlowOverTLS: a peer that takes a byte of a record now and then is slow, not
// dead.
func TestSlowOverTLS(t *testing.T) {
	contents := strings.Repeat("x", 20)
	serve(t, overTLS(func(w *world) { w.server.HeaderTimeout, w.server.IdleTimeout = 24*time.Hour, 24*time.Hour }), func(w *world) {
		near, far := newDuplex()
		var slow atomic.Bool
		w.l.accept <- trickle{far, &slow}
		nc := encrypt(t, near)
		synctest.Wait()
		slow.Store(true)
		c := wire.NewClient(nc, 25*time.Second)
		defer c.Close()
		begin := time.Now()
		_, err := c.Upload(bg, known(len(contents)), strings.NewReader(contents))
		must(t, err)
		if took := time.Since(begin); took < 10*time.Minute {
			t.Errorf("nothing was slow: it took %v", took)
		}
		slow.Store(false)
	})
	against(t, func(s *script) {
		must(t, tls.Server(s.duplex, &tls.Config{Certificates: []tls.Certificate{*identity()}}).Handshake())
		time.Sleep(time.Hour)
	}, func(t *testing.T, near net.Conn) {
		c := wire.NewClient(encrypt(t, near), 25*time.Second)
		defer c.Close()
		begin := time.Now()
		_, err := c.Say(bg, "hi")
		if took := time.Since(begin); err == nil || took > time.Minute {
			t.Errorf("Say: %v after %v", err, took)
		}
	})
}

// A trickle takes a byte every 20 seconds while it is slow.
type trickle struct {
	*duplex
	slow *atomic.Bool
}

func (tr trickle) Read(p []byte) (int, error) {
	if tr.slow.Load() {
		time.Sleep(20 * time.Second)
		p = p[:1]
	}
	return tr.duplex.Read(p)
}
