package commands

import (
	"crypto/tls"
	"time"

	"github.com/rs/zerolog"
)

// watch reads the certificate and its key, which may be renewed.
func (o tlsOptions) watch(w *watcher, log zerolog.Logger) (func() (*tls.Certificate, error), error) {
	read := func() (*tls.Certificate, error) { return o.read(log) }
	failed := func(err error) {
		log.Error().Err(err).Str("cert", o.cert).Str("key", o.key).Msg("cannot use the new certificate; the old one stays in use")
	}
	pair, err := watch(w, []string{o.cert, o.key}, read, failed)
	if err != nil {
		return nil, &itemError{o.cert, err}
	}
	warnMounted(log, o.cert, o.key)
	return func() (*tls.Certificate, error) { return pair.latest(), nil }, nil
}

// read reads the certificate and its key, and logs which one it is.
func (o tlsOptions) read(log zerolog.Logger) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, err
	}
	line := log.Info()
	if time.Now().After(cert.Leaf.NotAfter) {
		line = log.Warn()
	}
	line.Str("cert", o.cert).Time("expires", cert.Leaf.NotAfter).Str("fingerprint", fingerprint(cert.Leaf)).Msg("encrypting")
	return &cert, nil
}
