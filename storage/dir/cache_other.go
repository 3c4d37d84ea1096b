//go:build !linux

package dir

import "os"

func isCold(*os.File) bool { return false }

func dropCached(*os.File, int64, int64) {}
