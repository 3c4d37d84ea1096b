//go:build !(linux || darwin || freebsd)

package dir

import (
	"errors"
	"os"
)

func setAttribute(*os.File, string, string) error { return errors.ErrUnsupported }

func attribute(*os.File, string) (string, error) { return "", errors.ErrUnsupported }

func attributes(*os.File, string) ([]string, error) { return nil, errors.ErrUnsupported }
