//go:build !(linux || darwin || freebsd || windows)

package dir

import (
	"errors"
	"io/fs"
)

func (*osFilesystem) Free(string) (freeSpace, error) { return freeSpace{}, errors.ErrUnsupported }

// changeTime is when a file, or what is known of it, was last changed. Here nobody
// tells.
func changeTime(fs.FileInfo) int64 { return 0 }
