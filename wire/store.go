package wire

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// A Store is what a Server needs of the place that keeps bytes. An *Error
// that its methods return is told to the client word for word; of any other
// error the client learns only CodeInternal, and the log the rest. Its methods
// are called by many goroutines at once.
type Store interface {
	// Create accepts a file and begins it, unpublished. The Server ends it
	// with one Commit or Abort.
	Create(ctx context.Context, a Announcement) (Upload, error)
	// Err reports why nothing can be kept, or nil. It is asked at every ping.
	Err() error
}

// An Upload is a file in progress. It is used by one goroutine at a time.
type Upload interface {
	// ReadFrom appends what it reads until io.EOF. An error of the reader
	// comes back as it is.
	io.ReaderFrom
	// Commit makes the file durable and visible if it is what want says; an
	// empty digest is not compared. Otherwise it leaves nothing behind.
	Commit(ctx context.Context, want Sum) (Saved, error)
	// Abort drops the file.
	Abort() error
}

// An Announcement is what a client says of a file before its contents.
type Announcement struct {
	// Name is slash-separated; empty asks the server to make one.
	Name string
	// Size is in bytes; negative if the client does not know it yet.
	Size int64
	// ModTime is the time of the last modification; zero if not told.
	ModTime time.Time
	// Mode holds permission bits; zero if not told.
	Mode fs.FileMode
	// Digest says how both sides sum up the contents. A client may leave it
	// zero for the default.
	Digest Digest
}

// Saved describes what a server kept.
type Saved struct {
	// Name is the name that it was kept under.
	Name string
	// Path tells a person at the server's machine where it is. It does not
	// cross the wire.
	Path string
	Sum
	// Unchanged is set when the same contents were there before.
	Unchanged bool
}
