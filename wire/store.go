package wire

import (
	"context"
	"io"
	"io/fs"
)

// A Store is what a Server needs of the place that stores bytes. An *Error that its
// methods return is sent to the client word for word; any other error is logged,
// and the client is told CodeInternal. Its methods are called concurrently.
type Store interface {
	// Create accepts a file and begins it, unpublished. For a file without ID and Proofs
	// of at most LateSize bytes it needs no descriptor before the first ReadFrom or Commit:
	// there may be thousands. The Server ends it with one Commit, Suspend or Abort. With an ID it may resume an earlier Upload of the
	// same ID that was suspended. No two Uploads of an ID are in progress at the
	// same time. Where it waits for others it should do so by Waiting.
	Create(ctx context.Context, a Announcement) (Upload, error)
	// MakeFolder makes a folder and those above it durable. Modes are as in
	// Announcement.Folders, with the folder's own at the end.
	MakeFolder(ctx context.Context, name string, modes []fs.FileMode) error
	// CheckFolder makes durable a folder that is there. If it is not, it fails with
	// CodeAbsent or CodeDifferent.
	CheckFolder(ctx context.Context, name string) error
	// Err returns why nothing can be stored, or nil. It is called for every ping,
	// which it should not keep waiting for more than a second.
	Err() error
}

// LateSize is the most bytes of a file that is begun only when its contents come.
const LateSize = 32 << 10

// An Upload is a file in progress. It is used by one goroutine at a time.
type Upload interface {
	// ReadFrom appends what it reads until io.EOF. It returns an error of the
	// reader unchanged.
	io.ReaderFrom
	// Offer returns what there is of the file already, with a proof by one of the
	// Announcement's Proofs; its Size is 0 if there is nothing. The next byte
	// belongs behind it.
	Offer() Offer
	// Restart drops those bytes.
	Restart() error
	// Commit makes the file durable and visible if it matches want; an empty digest
	// is not compared. Otherwise it leaves nothing behind.
	Commit(ctx context.Context, want Sum) (Saved, error)
	// Suspend ends the work on the file. If it has an ID, its bytes are kept
	// for a later Create.
	Suspend() error
	// Abort drops the file.
	Abort() error
}

// A Comparison is how a file turned out to be unchanged; "" if it did not.
type Comparison string

const (
	// ComparedContents: all bytes, or digests of them that nobody can forge.
	ComparedContents Comparison = "contents"
	// ComparedTimes: only size and modification time. It is an assumption.
	ComparedTimes Comparison = "times"
)

// Saved describes what a server has stored.
type Saved struct {
	// Name is the name that it was stored under.
	Name string
	// Path is where it is, for people at the server's machine. It is not sent to
	// the client.
	Path string
	Sum
	// Unchanged is set when the same contents were there before, and Compared tells
	// how that was found out.
	Unchanged bool
	Compared  Comparison
	// Resumed is how many bytes an earlier upload had sent.
	Resumed int64
}
