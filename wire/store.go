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

// An Announcement is what a client says of a file before its contents.
type Announcement struct {
	// Name is slash-separated; empty asks the server to make one.
	Name string
	// ID tells this upload from others, so that a later announcement with the
	// same ID can go on with its bytes; at most MaxID bytes. Empty if it cannot
	// be resumed.
	ID string
	// Size is in bytes; negative if the client does not know it yet.
	Size int64
	// Holes is how many of them are in holes of a sparse file: zeros that take up
	// no space on the client's medium.
	Holes int64
	// ModTime is the time of the last modification; zero if not told.
	ModTime time.Time
	// Mode holds permission bits, if HasMode is set: a file may have none.
	Mode    fs.FileMode
	HasMode bool
	// Folders holds the permission bits of the folders that lead to Name,
	// outermost first, for those that do not exist yet. Zero, and what is
	// missing at the end, stands for 0755. Others have the owner's bits, so that
	// something can be put into them.
	Folders []fs.FileMode
	// Digest says how both sides sum up the contents. A client may leave it
	// zero for the default.
	Digest Digest
	// Replace says what the file must not take the place of, if the server was
	// told to replace files.
	Replace Replacement
}

// A Replacement is what the client has sent before under the name of a file, or
// what may be the same name to the server.
type Replacement int

const (
	// ReplaceAny: nothing.
	ReplaceAny Replacement = iota
	// ReplaceOther: a file whose name differs in spelling only, in the case of
	// its letters or the like.
	ReplaceOther
	// ReplaceNone: a file of that very name.
	ReplaceNone
)

// replaceOther is the value of the field "replace" for ReplaceOther. Any other
// stands for ReplaceNone: what later versions say restricts, too.
const replaceOther = "other"

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
