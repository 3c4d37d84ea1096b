// Package atomicfile changes small files in one durable step: whoever reads one finds it as it was or as it is to be.
package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/labnet/labnet/storage"
)

// MaxSize is the most bytes that such a file may have.
const MaxSize = 16 << 20

// syncFile is replaced in tests.
var syncFile = (*os.File).Sync

// Change replaces what is in a file by what edit makes of it, which is nil if there
// is none yet. The file appears complete and durable, with the permissions that it
// had, or mode; if Change fails, it is as before. Changes by several processes happen
// one after the other. An error of check, which is told what the file is before it is
// read, or of edit ends the change. A symlink is followed.
//
// If root does so, the file still belongs to its owner, or that of its folder.
func Change(file string, mode fs.FileMode, check func(fs.FileInfo) error, edit func(old []byte) ([]byte, error)) (err error) {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	owner, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return err
	}
	lock, err := openLock(file+".lock", owner)
	if err != nil {
		return err
	}
	defer lock.Close() // which frees it
	if err := waitLock(lock); err != nil {
		return err
	}
	old, info, err := read(file, check)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		mode, owner = info.Mode().Perm(), info
	}
	next, err := edit(old)
	if err != nil || info != nil && bytes.Equal(next, old) {
		return err
	}
	return replace(file, next, mode, owner)
}

// openLock opens the file by whose lock the others wait.
func openLock(name string, owner fs.FileInfo) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(name, os.O_RDWR, 0)
	}
	if err == nil {
		if err = GiveTo(f, owner); err != nil {
			f.Close()
		}
	}
	return f, err
}

// MakeFolder makes a folder, durably, unless it is there. If root does so, it belongs
// to the owner of the one above.
func MakeFolder(name string, mode fs.FileMode) error {
	above, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer above.Close()
	err = above.Mkdir(filepath.Base(name), mode)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := above.Open(filepath.Base(name)) // which nobody can lead elsewhere
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.IsDir() {
		err = errors.New("not a folder")
	}
	if err != nil || !made {
		return err
	}
	owner, err := above.Stat(".")
	if err == nil {
		err = GiveTo(f, owner)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(name))
	}
	return err
}

// read returns what is in a file, after check has seen what it is.
func read(file string, check func(fs.FileInfo) error) ([]byte, fs.FileInfo, error) {
	f, err := storage.OpenFile(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a file")
	}
	if err == nil {
		err = check(info)
	}
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && len(text) > MaxSize {
		err = fmt.Errorf("it has more than %d bytes", MaxSize)
	}
	return text, info, err
}

// replace puts a new file in the place of another.
func replace(file string, text []byte, mode fs.FileMode, owner fs.FileInfo) error {
	folder := filepath.Dir(file)
	tmp, err := os.CreateTemp(folder, "."+filepath.Base(file)+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err == nil {
		err = GiveTo(tmp, owner)
	}
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = syncFile(tmp)
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return err
	}
	return syncFolder(folder)
}
