package storage

import (
	"context"
	"io"
)

// A Reader reads what a store has kept, to tell whether it is still what was received.
// It needs no Store that is open, changes nothing, and can be used while servers store
// more. Its methods may be called by many goroutines at once.
type Reader interface {
	// Walk calls do for each file, until do fails. It leaves out what is neither a
	// file nor a folder, what belongs to the store itself, and what vanishes meanwhile,
	// and follows no symbolic link. A folder that cannot be read is told, too.
	Walk(ctx context.Context, do func(Found) error) error
	// Open opens a file to read it. It fails with fs.ErrNotExist if there is no such
	// file any more.
	Open(ctx context.Context, name string) (Kept, error)
	// Close releases what the Reader holds. Files that are open stay so.
	Close() error
}

// A Found is what a Reader has found.
type Found struct {
	Name string // slash-separated
	Size int64
	// Err is why it cannot be read, if it is a folder, which has no Size.
	Err error
}

// A Kept is a file that a store has kept. It is used by one goroutine at a time.
type Kept interface {
	// Read fails with ErrDegraded if the store cannot be reached now; with any other
	// error what was kept cannot be read any more.
	io.ReadCloser
	// Notes returns what is noted of it now. There may be nothing.
	Notes(ctx context.Context) ([]Note, error)
}

// A Note is what a store has noted of a file that it has received, or compared with one
// that it would have received.
type Note struct {
	// Digest is the name of the one that Sum is by.
	Digest string
	Sum    []byte
	// Size was the length in bytes; negative if that is not noted.
	Size  int64
	Since Since
}

// Since tells what was done to a file since something was noted of it.
type Since int

const (
	// Unknown means that nobody can tell.
	Unknown Since = iota
	// Untouched means that nobody has written to it: if it is another one now, it is
	// damaged, or somebody has changed it and hidden that.
	Untouched
	// Changed means that somebody has written to it, or put another in its place.
	Changed
)
