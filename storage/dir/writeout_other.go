//go:build !linux

package storage

import "os"

func writeOut(_ *os.File, _, _ int64) error { return nil }
