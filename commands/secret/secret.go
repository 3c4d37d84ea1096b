// Package secret reads files that only their owner may read.
package secret

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
)

// Read reads a file with a key or token, which nobody else may read.
func Read(file, what string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := Check(file, what, fi); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, 64<<10))
}

// Check fails with an *ExposedError if others may read a file, which info describes.
// Windows has access lists, which it does not look at.
func Check(file, what string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return &ExposedError{file, what, mode}
	}
	return nil
}

// An ExposedError is one that others than the owner of its file may read.
type ExposedError struct {
	file, what string
	mode       fs.FileMode
}

func (e *ExposedError) Error() string {
	return fmt.Sprintf("others can read or change this %s (mode %04o)", e.what, e.mode)
}

func (e *ExposedError) Describe() problem.Description {
	return problem.Description{Kind: "exposed-" + e.what, Hint: e.hint()}
}

func (e *ExposedError) hint() string {
	hint := "chmod 600 " + escape.Name(e.file) + ", or "
	if e.what == "token" {
		return hint + "replace it if others may have read it"
	}
	return hint + "remove it if others may have read it; a new one has another fingerprint"
}
