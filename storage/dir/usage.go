package dir

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/labnet/labnet/storage"
)

// maxCounts is how many folders are counted at once.
const maxCounts = 4

// Usage implements [Meter]. It follows no symlinks, and leaves out what vanishes
// while it counts.
func (d *Store) Usage(ctx context.Context, folder string) (used storage.Usage, err error) {
	if err := storage.Native.Check(folder); err != nil {
		return used, err
	}
	select { // few at once: each has a thread
	case d.counting <- struct{}{}:
	case <-ctx.Done():
		return used, ctx.Err()
	}
	defer func() { <-d.counting }()
	return usage(ctx, d.os.root.Root, folder)
}

// UsageOf is Usage for a store that another process may have open.
func UsageOf(ctx context.Context, store, folder string) (storage.Usage, error) {
	root, err := os.OpenRoot(store)
	if err != nil {
		return storage.Usage{}, err
	}
	defer root.Close()
	return usage(ctx, root, folder)
}

func usage(ctx context.Context, root *os.Root, folder string) (used storage.Usage, err error) {
	err = fs.WalkDir(root.FS(), folder, func(name string, e fs.DirEntry, err error) error {
		if err == nil && name != folder {
			used.Files++
		}
		if err == nil && e.Type().IsRegular() {
			var fi fs.FileInfo
			if fi, err = root.Lstat(name); err == nil {
				used.Bytes += fi.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err == nil {
			err = ctx.Err()
		}
		return err
	})
	return used, err
}
