//go:build !linux

package storage

import (
	"errors"
	"os"
)

func (*osFilesystem) Move(_, _ string) error { return errors.ErrUnsupported }

func canSyncAll(*os.File) bool { return false }

func syncAll(*os.File) error { return errors.ErrUnsupported }
