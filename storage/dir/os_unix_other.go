//go:build unix && !linux

package dir

import "io/fs"

// Inspect implements filesystem.
func (f *osFilesystem) Inspect(folder string) (folderInfo, error) { return f.inspect(folder) }

// filesGetGroupOf reports whether files that are made in a folder get its group:
// on BSD all do.
func filesGetGroupOf(fs.FileInfo) bool { return true }
