package commands

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/labnet/labnet/commands/size"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// keeper lets a wire.Server keep what it receives in a storage.Store.
type keeper struct{ store storage.Store }

func asWireStore(s storage.Store) wire.Store { return keeper{s} }

func (k keeper) Create(ctx context.Context, a wire.Announcement) (wire.Upload, error) {
	if a.Check { // what is left of an upload stays, whatever the store knows of checks
		a.ID = ""
	}
	waiting := storage.WithWaiting(ctx, func(wait func()) { wire.Waiting(ctx, wait) })
	partial, err := k.store.Create(waiting, storage.File{
		Name:    a.Name,
		ID:      a.ID,
		Size:    a.Size,
		Holes:   a.Holes,
		ModTime: a.ModTime,
		Mode:    a.Mode,
		HasMode: a.HasMode,
		Folders: a.Folders,
		Digest:  storage.Digest{Name: a.Digest.Name, New: a.Digest.New},
		Proofs:  proofsOf(a.Proofs),
		Contents: storage.Proof{
			Digest: storage.Digest{Name: a.Contents.Digest.Name, New: a.Contents.Digest.New},
			Sum:    a.Contents.Sum,
		},
		Quick:   a.Quick,
		Check:   a.Check,
		Replace: storage.Replacement(a.Replace),
	})
	if err != nil {
		return nil, refusal(err)
	}
	if a.Check && !partial.Offer().Stored { // a store that knows no checks
		partial.Abort()
		return nil, errNoChecks
	}
	return keeping{partial}, nil
}

// proofsOf returns the digests of an announcement as a store knows them.
func proofsOf(digests []wire.Digest) []storage.Digest {
	if len(digests) == 0 {
		return nil
	}
	list := make([]storage.Digest, len(digests))
	for i, d := range digests {
		list[i] = storage.Digest{Name: d.Name, New: d.New}
	}
	return list
}

func (k keeper) MakeFolder(ctx context.Context, name string, modes []fs.FileMode) error {
	if err := k.store.MakeFolder(ctx, name, modes); err != nil {
		return refusal(err)
	}
	return nil
}

func (k keeper) CheckFolder(ctx context.Context, name string) error {
	store, can := k.store.(storage.FolderChecker)
	if !can {
		return errNoChecks
	}
	if err := store.CheckFolder(ctx, name); err != nil {
		return refusal(err)
	}
	return nil
}

var errNoChecks = &wire.Error{Code: wire.CodeUnsupported, Text: "this server's store cannot check what it has"}

func (k keeper) Err() error {
	if err := k.store.Try(); err != nil {
		return refusal(err)
	}
	return nil
}

// keeping is a file in progress.
type keeping struct{ partial storage.Partial }

func (k keeping) ReadFrom(r io.Reader) (int64, error) {
	n, err := k.partial.ReadFrom(r)
	if err != nil {
		err = refusal(err)
	}
	return n, err
}

func (k keeping) Commit(ctx context.Context, want wire.Sum) (wire.Saved, error) {
	receipt, err := k.partial.Commit(ctx, storage.Sum(want))
	if err != nil {
		return wire.Saved{}, refusal(err)
	}
	return wire.Saved{
		Name:      receipt.Name,
		Path:      receipt.Path,
		Sum:       wire.Sum{Size: receipt.Size, Digest: receipt.Digest},
		Unchanged: receipt.Unchanged,
		Compared:  comparisonOf(receipt),
	}, nil
}

func comparisonOf(r storage.Receipt) wire.Comparison {
	if !r.Unchanged {
		return ""
	}
	if r.Assumed {
		return wire.ComparedTimes
	}
	return wire.ComparedContents
}

func (k keeping) Offer() wire.Offer { return wire.Offer(k.partial.Offer()) }

func (k keeping) Restart() error {
	if err := k.partial.Restart(); err != nil {
		return refusal(err)
	}
	return nil
}

func (k keeping) Suspend() error { return k.partial.Suspend() }
func (k keeping) Abort() error   { return k.partial.Abort() }

// A refused error is what the client is told of an error, with what only the
// log is told.
type refused struct {
	told  *wire.Error
	cause error
}

func (e *refused) Error() string   { return e.cause.Error() }
func (e *refused) Unwrap() []error { return []error{e.told, e.cause} }

// refusal gives the errors of a store that a client can do something about
// the codes that clients know.
func refusal(err error) error {
	code, text := wire.Code(""), err.Error()
	var name *storage.NameError
	var space *storage.SpaceError
	switch {
	case errors.As(err, &name):
		code, text = wire.CodeName, name.Error()
	case errors.Is(err, storage.ErrInUse):
		code, text = wire.CodeInUse, storage.ErrInUse.Error()
	case errors.Is(err, storage.ErrSuperseded):
		code, text = wire.CodeSuperseded, storage.ErrSuperseded.Error()
	case errors.Is(err, storage.ErrGone):
		code, text = wire.CodeDegraded, storage.ErrGone.Error()
	case errors.Is(err, storage.ErrDegraded):
		code, text = wire.CodeDegraded, storage.ErrDegraded.Error()
	case errors.As(err, &space):
		code, text = wire.CodeNoSpace, storage.ErrNoSpace.Error()+": "+size.Shortage(space.Needed, humanize.IBytes(uint64(space.Free)))
	case errors.Is(err, storage.ErrNoFiles):
		code, text = wire.CodeNoSpace, storage.ErrNoFiles.Error()
	case errors.Is(err, storage.ErrNoSpace):
		code, text = wire.CodeNoSpace, storage.ErrNoSpace.Error()
	case errors.Is(err, storage.ErrFailed):
		code, text = wire.CodeReadOnly, storage.ErrFailed.Error()
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		code, text = wire.CodeReadOnly, "the server's store cannot be written to"
	case errors.Is(err, storage.ErrMismatch), errors.Is(err, storage.ErrTooLong):
		code = wire.CodeMismatch
	case errors.Is(err, storage.ErrAbsent):
		code, text = wire.CodeAbsent, storage.ErrAbsent.Error()
	case errors.Is(err, storage.ErrDifferent):
		code, text = wire.CodeDifferent, storage.ErrDifferent.Error()
	case errors.Is(err, errors.ErrUnsupported):
		return errNoChecks
	case errors.Is(err, storage.ErrExists):
		code, text = wire.CodeExists, storage.ErrExists.Error()
	default:
		return err
	}
	return &refused{&wire.Error{Code: code, Text: text}, err}
}
