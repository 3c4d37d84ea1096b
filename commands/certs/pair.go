package certs

import (
	"crypto/tls"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/wire"
)

// WatchPair reads a certificate and its key, which may be renewed: w follows the files.
func WatchPair(w *reload.Watcher, cert, key string, log zerolog.Logger) (func() (*tls.Certificate, error), error) {
	read := func() (*tls.Certificate, error) { return readPair(cert, key, log) }
	failed := func(err error) {
		log.Error().Err(err).Str("cert", cert).Str("key", key).Msg("cannot use the new certificate; the old one stays in use")
	}
	pair, err := reload.Watch(w, []string{cert, key}, read, failed)
	if err != nil {
		return nil, problem.Item(cert, err)
	}
	reload.WarnMounted(log, cert, key)
	return func() (*tls.Certificate, error) { return pair.Latest(), nil }, nil
}

// readPair reads a certificate and its key, and logs which one it is.
func readPair(file, key string, log zerolog.Logger) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(file, key)
	if err != nil {
		return nil, err
	}
	line := log.Info()
	if time.Now().After(cert.Leaf.NotAfter) {
		line = log.Warn()
	}
	line.Str("cert", file).Time("expires", cert.Leaf.NotAfter).Str("fingerprint", wire.Fingerprint(cert.Leaf)).Msg("encrypting")
	return &cert, nil
}
