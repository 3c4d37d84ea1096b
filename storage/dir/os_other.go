//go:build !linux

package dir

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

type nameless int

const never nameless = 0

func (*osFilesystem) findNameless() {}

func (*osFilesystem) CreateNameless(string, fs.FileMode) (file, error) {
	return nil, errors.ErrUnsupported
}

func (osFile) SetModTime(time.Time) error { return errors.ErrUnsupported }

func (osFile) Link(string) error { return errors.ErrUnsupported }

// Chtimes leaves out what package os, which counts nanoseconds in 64 bits, would
// have in another century.
func (f *osFilesystem) Chtimes(name string, mtime time.Time) error {
	if year := mtime.UTC().Year(); year < 1678 || year > 2261 {
		return errors.ErrUnsupported
	}
	at, name := f.at(name)
	return at.Chtimes(name, time.Time{}, mtime)
}

func (*osFilesystem) Move(_, _ string) error { return errors.ErrUnsupported }

func (a anchor) lstat(name string) (fs.FileInfo, error) { return a.Lstat(name) }

func canSyncAll(*os.File) bool { return false }

func syncAll(*os.File) error { return errors.ErrUnsupported }

func allocate(*os.File, int64) error { return errors.ErrUnsupported }

func clone(_, _ *os.File) error { return errors.ErrUnsupported }

func writeOut(_ *os.File, _, _ int64) error { return nil }
