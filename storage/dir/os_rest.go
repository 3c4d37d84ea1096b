//go:build !(linux || darwin || freebsd || windows)

package dir

import (
	"errors"
	"os"
)

func (*osFilesystem) Free(string) (freeSpace, error) { return freeSpace{}, errors.ErrUnsupported }

func setAttribute(*os.File, string, string) error { return errors.ErrUnsupported }
