package wire_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/wire"
)

// TestHandshakeTimeout stalls in a handshake.
func TestHandshakeTimeout(t *testing.T) {
	var hello bytes.Buffer
	tls.Client(recorder{&hello}, trusting()).Handshake()
	for name, n := range map[string]int{"first byte": 1, "half": hello.Len() / 2, "hello": hello.Len()} {
		t.Run(name, func(t *testing.T) {
			serve(t, overTLS(nil), func(w *world) {
				near, far := newDuplex()
				w.l.accept <- far
				p := newPeer(t, near)
				go p.listen()
				time.Sleep(15 * time.Second) // which does not count
				p.send(hello.String()[:n])
				p.lasts(10 * time.Second)
				w.wantDid()
			})
		})
		t.Run(name+", deaf", func(t *testing.T) {
			serve(t, overTLS(nil), func(w *world) {
				near, far := newDuplex()
				w.l.accept <- far
				p := newPeer(t, near)
				p.send(hello.String()[:n])
				time.Sleep(15 * time.Second)
				go p.listen()
				p.wantClosed()
			})
		})
		t.Run(name+", drip", func(t *testing.T) {
			serve(t, overTLS(nil), func(w *world) {
				near, far := newDuplex()
				w.l.accept <- far
				p := newPeer(t, near)
				go p.listen()
				dripping := p.drip(hello.String(), time.Second)
				p.lasts(10 * time.Second)
				p.Close()
				dripping.Wait()
			})
		})
	}
}

// A recorder is a connection to nowhere.
type recorder struct{ io.Writer }

func (recorder) Read([]byte) (int, error)         { return 0, io.EOF }
func (recorder) Close() error                     { return nil }
func (recorder) LocalAddr() net.Addr              { return nil }
func (recorder) RemoteAddr() net.Addr             { return nil }
func (recorder) SetDeadline(time.Time) error      { return nil }
func (recorder) SetReadDeadline(time.Time) error  { return nil }
func (recorder) SetWriteDeadline(time.Time) error { return nil }

// TestHandshakeTimeoutOfClient has a server that says nothing.
func TestHandshakeTimeoutOfClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := newDuplex()
		go io.Copy(io.Discard, far)
		begin := time.Now()
		_, err := wire.Encrypt(bg, near, trusting(), time.Minute)
		if took := time.Since(begin); err == nil || took != time.Minute {
			t.Errorf("Encrypt: %v after %v", err, took)
		}
	})
}

// TestOldTLS: below 1.3, neither side goes on.
func TestOldTLS(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		serve(t, overTLS(nil), func(w *world) {
			near, far := newDuplex()
			w.l.accept <- far
			config := trusting()
			config.MaxVersion = tls.VersionTLS12
			if err := tls.Client(near, config).Handshake(); err == nil || !strings.Contains(err.Error(), "protocol version") {
				t.Errorf("Handshake: %v", err)
			}
			near.Close()
			w.wantDid()
		})
	})
	t.Run("server", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			near, far := newDuplex()
			old := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{*identity()}, MaxVersion: tls.VersionTLS12})
			done := make(chan struct{})
			go func() {
				defer close(done)
				if n, err := old.Read(make([]byte, 1)); n > 0 || err == nil {
					t.Error("the client spoke")
				}
				far.Close()
			}()
			config := trusting()
			config.MinVersion = tls.VersionTLS12 // makes no difference
			if _, err := wire.Encrypt(bg, near, config, 0); err == nil {
				t.Error("the client goes on with TLS 1.2")
			}
			<-done
		})
	})
}

// TestNoCertificate sends a hello to a server that has no certificate.
func TestNoCertificate(t *testing.T) {
	var log bytes.Buffer
	s, addr := listen(t, &store{}, func(s *wire.Server) { s.Log = zerolog.New(&log) })
	_, err := wire.Encrypt(bg, dialTCP(t, addr), trusting(), 0)
	if _, plain := errors.AsType[tls.RecordHeaderError](err); !plain {
		t.Errorf("Encrypt: %v", err)
	}
	must(t, s.Shutdown(bg))
	if !strings.Contains(log.String(), "does not speak TLS") {
		t.Errorf("the log says: %s", &log)
	}
}

// TestLabKnowsNoTLS: what cannot be encrypted is not served.
func TestLabKnowsNoTLS(t *testing.T) {
	s := &wire.Server{Store: &store{}, Lab: wire.Lab3}
	encrypted(s)
	if err := s.Serve(newListener()); err == nil || err == wire.ErrServerClosed {
		t.Errorf("Serve: %v", err)
	}
}

// TestSessionTicket: a client that comes back need not be shown the certificate
// again, and checks it all the same.
func TestSessionTicket(t *testing.T) {
	lines := make(logLines, 100)
	s, addr := listen(t, &store{}, encrypted, func(s *wire.Server) { s.Log = zerolog.New(lines) })
	config := trusting()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	var resumed []bool
	config.VerifyConnection = func(s tls.ConnectionState) error {
		resumed = append(resumed, s.DidResume)
		if !s.PeerCertificates[0].Equal(identity().Leaf) {
			t.Error("another certificate")
		}
		return nil
	}
	for range 3 {
		nc, err := wire.Encrypt(bg, dialTCP(t, addr), config, 0)
		must(t, err)
		c := wire.NewClient(nc, 0)
		_, err = c.Say(bg, "hi")
		must(t, err)
		must(t, c.Close())
		for line := ""; !strings.Contains(line, "connection ended"); {
			if line = <-lines; strings.Contains(line, "early") {
				t.Errorf("a client that ended was taken for one that was lost: %s", line)
			}
		}
	}
	if want := []bool{false, true, true}; !slices.Equal(resumed, want) {
		t.Errorf("resumed: %v, want %v", resumed, want)
	}
	must(t, s.Shutdown(bg))
}

// logLines passes on what is logged.
type logLines chan string

func (l logLines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}
