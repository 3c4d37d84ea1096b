package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/labnet/labnet/wire"
)

// balancer is from where connections come of which the first bytes name the client.
const balancer = "127.0.0.2"

// clients is how many addresses all have that come through the balancer, the good
// and the bad.
const clients = 20

// writeTokens has the server know one token.
func (s *soak) writeTokens() (file string, err error) {
	file = filepath.Join(s.abuse.dir, "tokens")
	return file, os.WriteFile(file, fmt.Appendf(nil, "good %x\n", sha256.Sum256([]byte(token))), 0o600)
}

// dial connects, directly or through the balancer.
func (s *soak) dial(ctx context.Context) (net.Conn, error) {
	server := s.current()
	if rand.N(2) == 0 {
		return calmly(ctx)(server.dialPlain(ctx))
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(balancer)}}
	nc, err := calmly(ctx)(d.DialContext(ctx, "tcp", server.addr))
	if err != nil {
		return nil, err
	}
	client := &net.TCPAddr{IP: net.IPv4(10, 0, 0, byte(rand.N(clients))), Port: 1 + rand.N(60000)}
	if _, err := proxyproto.HeaderProxyFromAddrs(2, client, nc.RemoteAddr()).WriteTo(nc); err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

// calmly makes a role that cannot connect wait a little.
func calmly(ctx context.Context) func(net.Conn, error) (net.Conn, error) {
	return func(nc net.Conn, err error) (net.Conn, error) {
		if err != nil {
			sleep(ctx, 100*time.Millisecond)
		}
		return nc, err
	}
}

// encrypted connects, over a network that may fail.
func (s *soak) encrypted(ctx context.Context, mayFail bool) (net.Conn, error) {
	nc, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	if mayFail {
		switch rand.N(4) {
		case 0:
			nc = &faulty{Conn: nc, left: rand.Int64N(200 << 10)}
		case 1:
			nc = &faulty{Conn: nc, left: rand.Int64N(2 << 20), stall: rand.N(5 * time.Second), slow: rand.N(20 * time.Millisecond)}
		}
	}
	// The key of a server that this program has started needs no proof.
	encrypted, err := wire.Encrypt(ctx, nc, &tls.Config{InsecureSkipVerify: true}, 5*time.Second)
	if err != nil {
		nc.Close()
		return calmly(ctx)(nil, err)
	}
	return encrypted, nil
}

// client connects as somebody who may upload does.
func (s *soak) client(ctx context.Context) (*wire.Client, error) {
	nc, err := s.encrypted(ctx, true)
	if err != nil {
		return nil, err
	}
	client := wire.NewClient(nc, 5*time.Second)
	if err := client.Authenticate(token); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// enter connects inside TLS and shows a token, if it is not empty, for what comes
// then.
func (s *soak) enter(ctx context.Context, token string) (net.Conn, error) {
	nc, err := s.encrypted(ctx, false)
	if err != nil || token == "" {
		return nc, err
	}
	if _, err := nc.Write(wire.AppendString(nil, "AUTH\x00token="+token+"\x00")); err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}
