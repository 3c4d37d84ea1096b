//go:build !labnet_no_s3

package commands

import (
	"context"
	"errors"
	"os"
	"runtime/debug"

	"github.com/labnet/labnet/storage/s3"
)

// besides is what a server may need beside what is on its way to an object store:
// mostly the buffers of its connections.
const besides = 64 << 20

func checkObjectStore(location string, getenv func(string) string) error {
	if _, err := s3.ParseLocation(location, getenv); err != nil {
		return usageError("--store %s: %w", location, err)
	}
	return nil
}

func openObjectStore(ctx context.Context, o serveOptions) (keptStore, error) {
	l, err := s3.ParseLocation(o.store, os.Getenv)
	if err != nil {
		return nil, err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		// Else the garbage collector would wait until as much again is used.
		debug.SetMemoryLimit(o.memory + o.memory/2 + besides)
	}
	store, err := s3.Open(ctx, l, s3.Options{
		OnConflict:      o.keep.OnConflict,
		PartialTTL:      o.keep.PartialTTL,
		MaxPartials:     o.keep.MaxPartials,
		MaxPartialBytes: o.keep.MaxPartialBytes,
		Memory:          o.memory,
	})
	if err != nil {
		return nil, &objectStoreError{l.String(), errors.Unwrap(err)}
	}
	return store, nil
}

func objectStoreNeeds(location string) sandbox {
	l, err := s3.ParseLocation(location, os.Getenv)
	if err != nil {
		return sandbox{} // it was checked before
	}
	files, ports := l.Needs()
	return sandbox{reads: files, connects: ports}
}
