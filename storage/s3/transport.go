package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// stillTime is how long a connection to the object store may stand still
	// while something is sent, and an answer may take,
	stillTime = time.Minute
	// joinTime how long one to CompleteMultipartUpload, which may copy all.
	joinTime = 15 * time.Minute
	// maxIdle is how many idle connections are kept.
	maxIdle = 64
	// bufferSize is that of each connection, in each direction.
	bufferSize = 64 << 10
)

// A transport gives each request its patience.
type transport struct{ quick, slow *http.Transport }

// newTransport trusts the certificates that the system does and those in the
// file that AWS_CA_BUNDLE names.
func newTransport() (http.RoundTripper, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if bundle := os.Getenv("AWS_CA_BUNDLE"); bundle != "" {
		pem, err := os.ReadFile(bundle)
		if err != nil {
			return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", errors.New("the file holds no certificate"))
		}
		config.RootCAs = pool
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	quick := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: stillTime,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   maxIdle,
		WriteBufferSize:       bufferSize,
		ReadBufferSize:        bufferSize,
		DisableCompression:    true,
	}
	quick.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return movingConn{conn}, nil
	}
	slow := quick.Clone()
	slow.ResponseHeaderTimeout = joinTime
	return &transport{quick, slow}, nil
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") {
		return t.slow.RoundTrip(r)
	}
	return t.quick.RoundTrip(r)
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] calls.
func (t *transport) CloseIdleConnections() {
	t.quick.CloseIdleConnections()
	t.slow.CloseIdleConnections()
}

// A movingConn fails if the peer takes nothing for long.
type movingConn struct{ net.Conn }

func (c movingConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stillTime)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
