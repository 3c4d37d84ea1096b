//go:build !linux

package commands

func isMountPoint(string) bool { return false }
