package commands

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/text/unicode/norm"

	"github.com/labnet/labnet/wire"
)

// errLoop means that a link leads to a folder that it is in.
var errLoop = errors.New("leads back to a folder above it")

// folder sends what is in dir and below it, and dir itself if that is nothing.
// It knows the folders above, dir included.
func (u *uploader) folder(ctx context.Context, dir, name string, above []fs.FileInfo) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return u.count(ctx, dir, err)
	}
	empty := true
	for _, entry := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		file := filepath.Join(dir, entry.Name())
		info, err := u.lookAt(file)
		if err == nil && info == nil {
			continue
		}
		empty = false
		if err := u.entry(ctx, file, path.Join(name, entry.Name()), info, err, above); err != nil {
			return err
		}
	}
	if empty && u.lab == 0 {
		return u.count(ctx, dir, u.makeFolder(ctx, dir, name))
	}
	return nil
}

// lookAt returns what is behind the name of a folder's entry, or nil, after a
// word about it, if that is not sent.
func (u *uploader) lookAt(file string) (fs.FileInfo, error) {
	info, err := os.Lstat(file)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if !u.follow {
			u.con.note("%s: symbolic link, skipped: -L follows it", printable(file))
			return nil, nil
		}
		info, err = os.Stat(file)
	}
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		u.con.note("%s: neither a file nor a folder, skipped", printable(file))
		return nil, nil
	}
	return info, err
}

// entry sends an entry of a folder, unless err tells that it cannot be read.
func (u *uploader) entry(ctx context.Context, file, name string, info fs.FileInfo, err error, above []fs.FileInfo) error {
	switch {
	case err != nil:
		return u.count(ctx, file, err)
	case !info.IsDir():
		return u.count(ctx, file, u.file(ctx, file, name))
	case slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }):
		return u.count(ctx, file, errLoop)
	}
	return u.folder(ctx, file, name, append(above, info))
}

// made is the outcome of one empty folder.
type made struct {
	Op   string `json:"op"`
	Addr string `json:"addr"`
	File string `json:"file"`
	Name string `json:"name"`
}

// makeFolder makes an empty folder at the server.
func (u *uploader) makeFolder(ctx context.Context, dir, name string) error {
	name = norm.NFC.String(name)
	err := u.persist(ctx, u.con, &u.session, dir, func() (int64, error) {
		return 0, u.do(ctx, func(c *wire.Client) error { return c.MakeFolder(ctx, name) })
	}, func() bool { return true })
	if err != nil {
		return err
	}
	u.con.result(made{"folder", u.addr, dir, name}, "%s  empty folder", printable(dir+string(filepath.Separator)))
	return nil
}
