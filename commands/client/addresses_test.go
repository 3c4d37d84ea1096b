package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// proving accepts connections and proves a key of its own. It reports its address and
// the key's fingerprint, and closes done once somebody has sent something inside TLS.
func proving(t *testing.T) (addr, pin string, sent chan struct{}) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	sent = make(chan struct{}, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			server := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
			if n, _ := io.ReadFull(server, make([]byte, 1)); n > 0 {
				sent <- struct{}{}
			}
			server.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String(), wire.Fingerprint(leaf), sent
}

// dead returns an address at which nobody listens.
func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// mute returns an address where nobody ever says anything.
func mute(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// TestDialAny: of several addresses the one counts that leads to the right server,
// wherever it stands, and nothing is sent to others.
func TestDialAny(t *testing.T) {
	right, pin, sent := proving(t)
	other, otherPin, otherSent := proving(t)
	for _, addrs := range [][]string{
		{dead(t), dead(t), right}, {right, dead(t), dead(t)}, {mute(t), right}, {other, right}, {right, other}, {mute(t), other, dead(t), right},
	} {
		config, err := TLSConfig("127.0.0.1", pin)
		must(t, err)
		o := Options{Addr: addrs[0], Others: addrs[1:], TLS: config, Timeout: time.Minute}
		conn, at, err := o.DialAny(t.Context())
		must(t, err)
		if at != right {
			t.Errorf("%s is taken, want %s", at, right)
		}
		_, err = conn.Write([]byte("x"))
		must(t, err)
		<-sent
		conn.Close()
	}
	if len(otherSent) > 0 {
		t.Error("something was sent to another server")
	}

	config, err := TLSConfig("127.0.0.1", pin)
	must(t, err)
	addrs := []string{dead(t), other, dead(t)}
	o := Options{Addr: addrs[0], Others: addrs[1:], TLS: config, Timeout: time.Minute}
	if _, err = o.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), pin) || !strings.Contains(err.Error(), otherPin) {
		t.Errorf("another server: error %v", err)
	}
	o.Others = []string{dead(t)}
	_, err = o.Dial(t.Context())
	if unreachable, ok := errors.AsType[*UnreachableError](err); !ok || !strings.Contains(unreachable.Error(), o.Addr+", "+o.Others[0]) {
		t.Errorf("no server: error %v", err)
	}
}
