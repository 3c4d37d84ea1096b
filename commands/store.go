package commands

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/sandbox"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/storage/s3"
)

// objectScheme is what --store begins with if it names an object store.
const objectScheme = "s3://"

// A keptStore is what serve keeps things in.
type keptStore interface {
	storage.Store
	// Leftovers lists what interrupted uploads have left, the oldest first.
	Leftovers() []storage.Leftover
}

// checkStore checks what can be known of --store before it is opened.
func (o serveOptions) checkStore() error {
	if !strings.HasPrefix(o.store, objectScheme) {
		return nil
	}
	if o.tls.on && o.tls.cert == "" && o.tls.identity == "" {
		return problem.Usage("an object store keeps no key: with --store %s, --tls needs --identity FILE, or --cert and --key", objectScheme)
	}
	return checkObjectStore(o.store, os.Getenv)
}

// openStore opens the store and tells what interrupted uploads have left in it.
func (o serveOptions) openStore(ctx context.Context, log zerolog.Logger) (keptStore, error) {
	o.keep.Note = func(what string, err error) { log.Warn().Err(err).Msg(what) }
	store, err := o.openAnyStore(ctx)
	if err != nil {
		return nil, err
	}
	for _, left := range store.Leftovers() {
		log.Info().Str("partial", left.Name).Int64("size", left.Size).Stringer("age", left.Age.Round(time.Second)).Msg("interrupted upload kept, to be resumed")
	}
	return store, nil
}

func (o serveOptions) openAnyStore(ctx context.Context) (keptStore, error) {
	if strings.HasPrefix(o.store, objectScheme) {
		return openObjectStore(ctx, o)
	}
	store, err := dir.Open(o.store, o.keep)
	if err != nil {
		return nil, &storeError{o.store, errors.Unwrap(err)}
	}
	return store, nil
}

// storeNeeds is what the store needs of the system once it is open.
func (o serveOptions) storeNeeds() sandbox.Sandbox {
	if strings.HasPrefix(o.store, objectScheme) {
		return objectStoreNeeds(o.store)
	}
	return sandbox.Sandbox{Store: o.store}
}

// hiddenFolder is where a server may keep files of its own: in the store, if that
// is a folder, else "".
func hiddenFolder(store keptStore) string {
	if dir, ok := store.(*dir.Store); ok {
		return dir.Hidden()
	}
	return ""
}

// An objectStoreError means that an object store cannot be used.
type objectStoreError struct {
	location string
	err      error
}

func (e *objectStoreError) Error() string {
	return "store " + escape.Name(e.location) + ": " + problem.Of(e.err).Message
}
func (e *objectStoreError) Unwrap() error { return e.err }

func (e *objectStoreError) Describe() problem.Description {
	return problem.Description{Hint: "set the object store with --store, AWS_ENDPOINT_URL_S3 and AWS_REGION, and its credentials with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or the files of other S3 tools"}
}

// A storeError means that the folder of a store cannot be used.
type storeError struct {
	dir string
	err error
}

func (e *storeError) Error() string {
	return "store " + escape.Name(e.dir) + ": " + problem.Of(e.err).Message
}
func (e *storeError) Unwrap() error { return e.err }

func (e *storeError) Describe() problem.Description {
	if errors.Is(e.err, storage.ErrLocked) {
		return problem.Description{Kind: "locked", Hint: "only one server at a time can use a folder: choose another with --store"}
	}
	return problem.Description{Hint: "choose another folder with --store, which this user may write to"}
}

// ownMemory is what a server may need apart from what is on its way to an object
// store: mostly the buffers of its connections.
const ownMemory = 64 << 20

func checkObjectStore(location string, getenv func(string) string) error {
	if _, err := s3.ParseLocation(location, getenv); err != nil {
		return problem.Usage("--store %s: %w", location, err)
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
		debug.SetMemoryLimit(o.memory + o.memory/2 + ownMemory)
	}
	store, err := s3.Open(ctx, l, s3.Options{
		OnConflict: o.keep.OnConflict,
		Names:      o.keep.Names,
		Partials:   o.keep.Partials,
		Memory:     o.memory,
		FileMode:   o.keep.FileMode,
		Synced:     o.keep.Synced,
	})
	if err != nil {
		return nil, &objectStoreError{l.String(), errors.Unwrap(err)}
	}
	return store, nil
}

func objectStoreNeeds(location string) sandbox.Sandbox {
	l, err := s3.ParseLocation(location, os.Getenv)
	if err != nil {
		return sandbox.Sandbox{} // it was checked before
	}
	files, ports := l.Needs()
	return sandbox.Sandbox{Reads: files, Connects: ports}
}
