// Package storage keeps files that arrive piece by piece.
//
// A [Store] accepts a file ([Store.Create]), appends its bytes as they come
// ([Partial.ReadFrom]) and publishes it under its name when it is complete
// ([Partial.Commit]). Until then nothing is visible under the name, and once
// Commit has returned without an error the contents and the name survive the
// death of the process, of the kernel and of the machine's power.
//
// An upload that has an ID can be interrupted: [Partial.Suspend] keeps its
// bytes, and the next Create with that ID continues with them.
//
// Package dir keeps files in a directory, package s3 in an object store. The contract
// that both honour is the comments of [Store] and [Partial]; package storagetest checks it.
package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strings"
	"time"
)

// A Store keeps files. Its methods may be called by many goroutines at once.
type Store interface {
	// Create accepts a file and begins it, unpublished, or continues with what
	// an earlier upload of the same ID has left (Partial.Resumed). The caller
	// must end it with exactly one Commit, Suspend or Abort.
	//
	// To go on, Create reads all that was left; if ctx ends meanwhile, it fails
	// and what was left stays. It begins again if what was left is longer than
	// f.Size or cannot be read, and if f.Size is negative or f has no Digest,
	// or no Proofs, because then nobody could tell whether the bytes are right.
	//
	// Create fails before a byte is taken with a *NameError if the name breaks
	// the store's rules (see Names) or collides with what is stored (a directory
	// where a file should be, or the reverse), with ErrNoSpace if the store
	// cannot hold f.Size bytes (a later method may, if a file of that name is as
	// long and so could turn out to be unchanged), with ErrFailed if the store keeps nothing any
	// more, with ErrInUse if an upload of the same ID has not ended, and with
	// ErrExists if the store refuses names that are taken and f.Size alone
	// tells that the contents are others.
	Create(ctx context.Context, f File) (Partial, error)

	// MakeFolder makes a folder and those above it. When it returns without an
	// error they are durable, whoever made them. Modes are as in File.Folders,
	// that of the folder itself being the last. It fails with a *NameError if
	// the name breaks the store's rules or a file is in the way, and with
	// ErrNoSpace and ErrFailed like Commit.
	MakeFolder(ctx context.Context, name string, modes []fs.FileMode) error

	// Err reports why the store accepts nothing any more (wrapping
	// ErrFailed) or for now (wrapping ErrDegraded), or nil.
	Err() error

	// Try is Err that also tries what an upload needs, at most once a second for
	// all callers. It returns within a second, even if nothing that it has begun
	// does: then with ErrDegraded.
	Try() error

	// Close releases the store. Files still in progress are suspended.
	Close() error
}

// A File is what is known of a file before its bytes arrive.
type File struct {
	// Name is relative and slash-separated; see Names. Empty asks for a
	// random one: see RandomName.
	Name string
	// Folder is where the file belongs, and Name is in it. Empty stands for the
	// store itself. The receipt's name begins with it.
	Folder string
	// ID names the upload: a later Create with the same ID and Owner goes on where
	// this one has stopped. It may be any string and is told to nobody. Empty means
	// that the upload cannot be resumed.
	ID string
	// Owner is whose upload it is; empty for nobody's. What the interrupted uploads of
	// each have left is bounded so that no owner loses anything to another one who has left more.
	Owner string
	// Size is the length in bytes; negative if only Commit will tell.
	Size int64
	// Holes is how many of them are said to be zeros in long runs that need no
	// space, which a store may leave out.
	Holes int64
	// ModTime is set on the published file; zero leaves the time of its last
	// write.
	ModTime time.Time
	// Mode holds permission bits, if HasMode is set; others are dropped, and so
	// is what the process's umask denies. Without HasMode it stands for 0o666.
	Mode    fs.FileMode
	HasMode bool
	// Folders holds the permission bits of the folders that lead to Name, the
	// outermost first, for those that have to be made; one that exists stays as
	// it is. Zero, and what is missing at the end, stands for DefaultFolder. The
	// owner may always do everything, so that more can be put in.
	Folders []fs.FileMode
	// Digest says how the contents are summed; its zero value means not at all.
	Digest Digest
	// Proofs are the digests by which the sender can be shown what the store has of
	// the file (Partial.Offer): cryptographic ones, so that nobody else can have made
	// bytes of the same digest. Without any the store offers nothing.
	Proofs []Digest
	// Contents is a proof of all contents, if the sender tells it in advance. A file
	// of the same name and proof is unchanged (Offer.Agreed).
	Contents Proof
	// Quick has a file of the same name, Size and ModTime be taken for the same, without
	// reading it (Offer.Assumed).
	Quick bool
	// Existing has nothing new be stored: Create fails with ErrAbsent or ErrDifferent
	// unless a file is there that may be the same (Offer.Stored), and so does Restart.
	// An interrupted upload stays as it is.
	Existing bool
	// Check is Existing without new times and permissions for that file. Commit makes it
	// durable.
	Check bool
	// Replace says what the file must not take the place of.
	Replace Replacement
}

// Conflict returns what becomes of f if its name is taken in a store that was
// told c and in which no two spellings are one name.
func (f File) Conflict(c Conflict) Conflict {
	if f.Replace == RefuseTaken {
		return Refuse
	}
	if c == Replace && (f.Name == "" || f.Replace == ReplaceNone) {
		return Rename // nobody meant to replace that one
	}
	return c
}

// DefaultFolder is the permissions of a folder of which nothing is known, which
// the process's umask may narrow.
const DefaultFolder fs.FileMode = 0o755

// Permissions returns the permissions of f, before any umask.
func (f File) Permissions() fs.FileMode {
	if !f.HasMode {
		return 0o666
	}
	return f.Mode.Perm()
}

// FolderMode returns the permissions of the n-th of the folders that lead to
// something and have such modes, before any umask.
func FolderMode(modes []fs.FileMode, n int) fs.FileMode {
	if n < 0 || n >= len(modes) || modes[n] == 0 {
		return DefaultFolder
	}
	return modes[n].Perm() | 0o700
}

// Above is how many folders there are above those that f.Folders is about, once
// Place has put f.Folder before f.Name.
func (f File) Above() int {
	if f.Folder == "" {
		return 0
	}
	return strings.Count(f.Folder, "/") + 1
}

// Place returns the name that a store with those rules keeps f under unless it is
// taken, and whether that was made up, or else the *NameError that Create fails with.
func (f File) Place(rules Names) (name string, madeUp bool, err error) {
	name, madeUp = f.Name, f.Name == ""
	if madeUp {
		name = RandomName()
	}
	if f.Folder != "" {
		name = f.Folder + "/" + name
	}
	return name, madeUp, rules.Check(name)
}

// Placed returns f as a store keeps it: under its whole name, by which check finds nothing
// wrong either, and without an ID if it is only looked for. What was left of an upload is
// another matter then.
func (f File) Placed(rules Names, check func(name string) error) (File, error) {
	name, _, err := f.Place(rules)
	if err == nil {
		err = check(name)
	}
	if err != nil {
		return File{}, err
	}
	f.Name = name
	if f.Existing || f.Check {
		f.ID = ""
	}
	return f, nil
}

// A Meter is a Store that can tell how much it holds.
type Meter interface {
	Store
	// Usage returns what is in a folder and below it, whoever put it there,
	// without files in progress. A folder that is not there holds nothing. Its time
	// grows with their number.
	Usage(ctx context.Context, folder string) (Usage, error)
	// Left returns what interrupted uploads of the owner of a file have left, apart
	// from what that file would resume and from uploads that go on. What others have done
	// who share the store may be left out for an hour or a 24th of the time that it is kept.
	Left(f File) Usage
}

// A FolderChecker is a Store that can tell whether a folder is there.
type FolderChecker interface {
	Store
	// CheckFolder makes durable the folder of that name and those above it, or fails
	// with ErrAbsent if it is not there, with ErrDifferent if it is something else, and
	// otherwise like MakeFolder.
	CheckFolder(ctx context.Context, name string) error
}

// A Usage is how much something holds.
type Usage struct {
	Bytes int64 // of files
	Files int64 // and folders, and all else that has a name
}

// Add returns the sum of both.
func (u Usage) Add(o Usage) Usage { return Usage{u.Bytes + o.Bytes, u.Files + o.Files} }

// Sub returns the difference of both.
func (u Usage) Sub(o Usage) Usage { return Usage{u.Bytes - o.Bytes, u.Files - o.Files} }

// A Digest is a named way to sum up contents.
type Digest struct {
	Name string
	New  func() hash.Hash
}

// A Partial is a file in progress. It is used by one goroutine at a time.
type Partial interface {
	// ReadFrom appends what r yields until io.EOF and returns how many bytes
	// it took. It may be called again and again. It returns an error of r
	// unchanged; any other error is the store's, and then the file can only
	// be aborted, which frees its space: ErrNoSpace if the disk is full,
	// ErrTooLong past the declared size.
	io.ReaderFrom

	// Offer returns the length and the proof of what an earlier upload of the same
	// ID has left and this one continues with, or of a file that is there and may be
	// the same; the next byte belongs behind it. The length is 0 if this one began
	// again.
	//
	// The proof is of the bytes as they are stored now. They need not be what
	// was once received: after a power cut a file may be as long as it was, and
	// hold zeros; or somebody else may have sent them. So go on only if the
	// sender's bytes have the same digest, and call Restart otherwise.
	Offer() Offer

	// Restart drops every byte so that the file begins again. If it fails, the
	// file can only be aborted.
	Restart() error

	// Suspend ends the work on the file and keeps its bytes for the next
	// Create with the same ID, as long as the store sees fit. It drops them
	// like Abort if that Create could not continue with them (see Create), if the
	// store has failed to write, and if there are none. What it keeps survives
	// the death of the process; a power cut may spoil it (see Resumed). An
	// error means that the bytes are lost. After Commit it does nothing.
	Suspend() error

	// Commit makes the file durable and publishes it, in this order, if its
	// length is want.Size and its digest want.Digest; otherwise it fails with
	// ErrMismatch. It never overwrites a file unless the store was told to
	// replace. A file of the same contents under the same name is left there, gets
	// the time and permissions, and is made durable (Receipt.Unchanged).
	//
	// When Commit fails nothing is visible that was not there before; the
	// file is gone as after Abort, so that no upload continues with bad bytes. Like Create it fails with a *NameError or
	// ErrExists if the name has come to collide or to be taken meanwhile.
	// ErrFailed means that the disk refused to make data durable, which no
	// second try can heal: from then on the store accepts nothing.
	Commit(ctx context.Context, want Sum) (Receipt, error)

	// Abort drops the file and its bytes. After Commit or Suspend it does
	// nothing.
	Abort() error
}

// A Sum is what the sender says it sent.
type Sum struct {
	// Size is the length in bytes; negative if the sender cannot tell.
	Size int64
	// Digest is the digest by File.Digest; empty if the sender cannot tell.
	Digest []byte
}

// Compare fails with ErrMismatch unless s, which arrived, is what was announced and what
// is wanted in the end.
func (s Sum) Compare(announced File, want Sum) error {
	for _, size := range []int64{announced.Size, want.Size} {
		if size >= 0 && size != s.Size {
			return fmt.Errorf("%w: %d bytes instead of %d", ErrMismatch, s.Size, size)
		}
	}
	if len(want.Digest) > 0 && !bytes.Equal(want.Digest, s.Digest) {
		return fmt.Errorf("%w: %s %x instead of %x", ErrMismatch, announced.Digest.Name, s.Digest, want.Digest)
	}
	return nil
}

// An Offer is what a store has of a file before its bytes arrive.
type Offer struct {
	// Size is the length in bytes; 0 if there is nothing.
	Size int64
	// Digest is the name of the one of File.Proofs that Proof is by.
	Digest string
	Proof  []byte
	// Stored is set if these bytes are not of an interrupted upload but those of a
	// file that is there under the name. If they are all and nothing follows, Commit
	// leaves it, as Receipt.Unchanged says. If they are fewer, the next bytes belong
	// behind a copy of them. If the file has changed since, that fails with ErrMismatch.
	Stored bool
	// Agreed is set if they are all contents and have the proof that File.Contents
	// tells: the sender need not be asked.
	Agreed bool
	// Assumed is set if only the size and the time agree, of a File with Quick. There is
	// no Proof then, and Agreed is set, too.
	Assumed bool
}

// A Proof is a cryptographic digest of some bytes.
type Proof struct {
	Digest Digest
	Sum    []byte
}

// A Receipt describes a file that was kept.
type Receipt struct {
	// Name is the slash-separated name that it was published under. It
	// differs from File.Name when that was empty or taken.
	Name string
	// Path tells a person on this machine where the file is.
	Path string
	// Size is the length in bytes.
	Size int64
	// Digest is the digest by File.Digest; empty without one.
	Digest []byte
	// Unchanged is set when the same contents were already there.
	Unchanged bool
	// Assumed is set if nobody has read them (Offer.Assumed). Then there is no Digest.
	Assumed bool
}

var (
	// ErrNoSpace means that the disk is full or a quota is used up. Later
	// files may fit again.
	ErrNoSpace = errors.New("no space left in the store")
	// ErrNoFiles is an ErrNoSpace: there is space for contents, but hardly any for
	// more files and folders.
	ErrNoFiles = fmt.Errorf("%w: its file system has hardly any inodes free", ErrNoSpace)
	// ErrFailed means that the store could not make data durable and accepts
	// nothing until it is opened again.
	ErrFailed = errors.New("the store failed and is read-only")
	// ErrDegraded means that what the store keeps files in does not do its work
	// now. The same may soon succeed.
	ErrDegraded = errors.New("the store is degraded and cannot store anything at the moment")
	// ErrGone means that the directory at the store's path is not the one that was
	// opened. It is an ErrDegraded: moving the directory back mends it.
	ErrGone = fmt.Errorf("%w: its folder was removed or replaced; restart the server", ErrDegraded)
	// ErrSuperseded means that an upload of the same ID has begun at another
	// server, which continues with what this one had stored.
	ErrSuperseded = errors.New("another server receives this upload now")
	// ErrMismatch means that what arrived is not what the sender meant.
	ErrMismatch = errors.New("the contents are not what was announced")
	// ErrTooLong means that more bytes came than the declared size.
	ErrTooLong = errors.New("more bytes than announced")
	// ErrExists means that the name is taken and the store refuses such names.
	ErrExists = errors.New("the name is taken")
	// ErrAbsent means that no file has the name, and ErrDifferent that what has it is
	// another one: of a File that is only to be looked for.
	ErrAbsent    = errors.New("no such file at the server")
	ErrDifferent = errors.New("the server has another file of that name")
	// ErrInUse means that an upload of the same ID has not ended yet.
	ErrInUse = errors.New("the upload is in progress already")
	// ErrLocked means that another process has the store open.
	ErrLocked = errors.New("the store is in use by another server")
)

// A NameError says why a name cannot be used.
type NameError struct {
	Name   string
	Reason string
}

func (e *NameError) Error() string { return fmt.Sprintf("name %q: %s", e.Name, e.Reason) }

// A Room is what is free for a store on its disk, which others use, too.
type Room struct {
	Bytes, AllBytes int64
	Files, AllFiles int64 // and folders; both 0 if they have no limit of their own
	Kept            int64 // bytes that the store leaves free
}

// A SpaceError is an ErrNoSpace that says how much space there is.
type SpaceError struct {
	Needed int64 // bytes that are still to come; negative if nobody knows
	Free   int64 // bytes that the file could have

	Err error // what wraps ErrNoSpace
}

func (e *SpaceError) Error() string {
	if e.Needed < 0 {
		return fmt.Sprintf("%d bytes free: %v", e.Free, e.Err)
	}
	return fmt.Sprintf("%d bytes needed, %d free: %v", e.Needed, e.Free, e.Err)
}

func (e *SpaceError) Unwrap() error { return e.Err }
