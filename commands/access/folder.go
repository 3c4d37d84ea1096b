package access

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/labnet/labnet/storage"
)

// A confined store is the folder of a user in a store, or all of it, where nobody
// continues with an upload of another user. Names are those in the folder, so that
// who is in it does not see it.
type confined struct {
	storage.Store
	user string
	dir  string // "": all of it
}

func (c confined) Create(ctx context.Context, f storage.File) (storage.Partial, error) {
	f.Owner, f.Folder = c.user, c.dir
	p, err := c.Store.Create(ctx, f)
	if err != nil {
		return nil, c.inside(err)
	}
	return confinedPartial{p, c}, nil
}

func (c confined) MakeFolder(ctx context.Context, name string, modes []fs.FileMode) error {
	if c.dir != "" { // whose own folders have the default
		modes = append(make([]fs.FileMode, strings.Count(c.dir, "/")+1), modes...)
	}
	return c.inside(c.Store.MakeFolder(ctx, c.outside(name), modes))
}

// CheckFolder implements [storage.FolderChecker].
func (c confined) CheckFolder(ctx context.Context, name string) error {
	store, can := c.Store.(storage.FolderChecker)
	if !can {
		return errors.ErrUnsupported
	}
	return c.inside(store.CheckFolder(ctx, c.outside(name)))
}

// outside returns the name that a folder has in the whole store.
func (c confined) outside(name string) string {
	if c.dir != "" {
		name = c.dir + "/" + name
	}
	return name
}

// inside returns err about a name as who is in the folder knows it.
func (c confined) inside(err error) error {
	fault, ok := errors.AsType[*storage.NameError](err)
	if !ok || c.dir == "" {
		return err
	}
	inner := &storage.NameError{Name: c.name(fault.Name), Reason: fault.Reason}
	within, _ := strings.CutSuffix(strconv.Quote(c.dir+"/"), `"`)
	inner.Reason = strings.ReplaceAll(inner.Reason, within, `"`)
	for dir := c.dir; dir != "."; dir = path.Dir(dir) {
		if strings.Contains(inner.Reason, strconv.Quote(dir)) {
			inner.Reason = "the folder for this user cannot be made"
		}
	}
	return inner
}

func (c confined) name(outside string) string {
	if c.dir == "" {
		return outside
	}
	return strings.TrimPrefix(outside, c.dir+"/")
}

type confinedPartial struct {
	storage.Partial
	in confined
}

func (p confinedPartial) Commit(ctx context.Context, want storage.Sum) (storage.Receipt, error) {
	receipt, err := p.Partial.Commit(ctx, want)
	receipt.Name = p.in.name(receipt.Name)
	return receipt, p.in.inside(err)
}
