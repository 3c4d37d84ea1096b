package wire

import (
	"context"
	"io"
	"io/fs"
)

// A Store is what a Server needs of the place that keeps bytes. An *Error
// that its methods return is told to the client word for word; of any other
// error the client learns only CodeInternal, and the log the rest. Its methods
// are called by many goroutines at once.
type Store interface {
	// Create accepts a file and begins it, unpublished. The Server ends it
	// with one Commit, Suspend or Abort. With an ID it may go on with what an
	// earlier Upload of the same ID left; no two Uploads of one ID are in
	// progress at once.
	Create(ctx context.Context, a Announcement) (Upload, error)
	// MakeFolder makes a folder and those above it durable. Modes are as in
	// Announcement.Folders, the folder's own being the last.
	MakeFolder(ctx context.Context, name string, modes []fs.FileMode) error
	// Err reports why nothing can be kept, or nil. It is asked at every ping.
	Err() error
}

// An Upload is a file in progress. It is used by one goroutine at a time.
type Upload interface {
	// ReadFrom appends what it reads until io.EOF. An error of the reader
	// comes back as it is.
	io.ReaderFrom
	// Resumed returns the size and the digest of the bytes that an earlier
	// Upload left and this one goes on with; the size is 0 if there are none.
	Resumed() Sum
	// Restart drops those bytes.
	Restart() error
	// Commit makes the file durable and visible if it is what want says; an
	// empty digest is not compared. Otherwise it leaves nothing behind.
	Commit(ctx context.Context, want Sum) (Saved, error)
	// Suspend ends the work on the file. If it has an ID, its bytes are kept
	// for a later Create.
	Suspend() error
	// Abort drops the file.
	Abort() error
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
	// Resumed is how many bytes an earlier upload had brought.
	Resumed int64
}
