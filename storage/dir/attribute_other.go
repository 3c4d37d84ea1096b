//go:build !(linux || darwin || freebsd || netbsd)

package storage

import (
	"errors"
	"os"
)

func setAttribute(*os.File, string, string) error { return errors.ErrUnsupported }
