//go:build !linux

package reload

func isMountPoint(string) bool { return false }
