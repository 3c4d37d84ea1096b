package commands

import (
	"context"
	"crypto/tls"
	"io/fs"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// A watchedPair is a certificate and its key in files that somebody renews
// while the server runs.
type watchedPair struct {
	certFile, keyFile string
	log               zerolog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	tried   [2]fs.FileInfo // what the files were when they were last read
}

// watch reads the certificate and its key, again on SIGHUP and when they
// change.
func (o tlsOptions) watch(ctx context.Context, log zerolog.Logger) (func() (*tls.Certificate, error), error) {
	p := &watchedPair{certFile: o.cert, keyFile: o.key, log: log}
	if err := p.read(); err != nil {
		return nil, &itemError{o.cert, err}
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangups)
		for {
			select {
			case <-hangups:
				p.renew(true)
			case <-ctx.Done():
				return
			}
		}
	}()
	return p.get, nil
}

// get returns the certificate for a handshake. To look at the files each time
// needs no watcher, and is cheap beside the signature.
func (p *watchedPair) get() (*tls.Certificate, error) { return p.renew(false), nil }

// renew reads the files again if they have changed, or anyway, and returns the
// certificate that is in use from now on: the old one if the new one is not in
// order. The two files cannot change at the same instant.
func (p *watchedPair) renew(anyway bool) *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if anyway || p.changed() {
		if err := p.read(); err != nil {
			p.log.Error().Err(err).Str("cert", p.certFile).Str("key", p.keyFile).Msg("cannot use the new certificate; the old one stays in use")
		}
	}
	return p.current
}

// changed reports whether the files are others than those that were read.
func (p *watchedPair) changed() bool {
	for i, now := range p.stat() {
		was := p.tried[i]
		if (was == nil) != (now == nil) {
			return true
		}
		if now != nil && (!os.SameFile(was, now) || !was.ModTime().Equal(now.ModTime()) || was.Size() != now.Size()) {
			return true
		}
	}
	return false
}

// stat looks at the files; one that cannot be looked at is nil.
func (p *watchedPair) stat() (files [2]fs.FileInfo) {
	for i, name := range []string{p.certFile, p.keyFile} {
		if fi, err := os.Stat(name); err == nil {
			files[i] = fi
		}
	}
	return files
}

// read puts the certificate to use that is in the files now.
func (p *watchedPair) read() error {
	p.tried = p.stat() // before it reads: a change meanwhile is seen the next time
	cert, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return err
	}
	p.current = &cert
	line := p.log.Info()
	if time.Now().After(cert.Leaf.NotAfter) {
		line = p.log.Warn()
	}
	line.Str("cert", p.certFile).Time("expires", cert.Leaf.NotAfter).Str("fingerprint", fingerprint(cert.Leaf)).Msg("encrypting")
	return nil
}
