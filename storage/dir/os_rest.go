//go:build !(linux || darwin || freebsd || windows)

package dir

import (
	"errors"
	"os"
)

func (*osFilesystem) Free(string) (int64, error) { return 0, errors.ErrUnsupported }

func setAttribute(*os.File, string, string) error { return errors.ErrUnsupported }
