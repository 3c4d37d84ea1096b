//go:build unix

package client

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// localUser is what this machine tells the user from others by.
func localUser() string { return strconv.Itoa(os.Getuid()) }

// ownerOfHome returns the user to whom the folder that exists at dir, or above it,
// belongs, or -1.
func ownerOfHome(dir string) int {
	for {
		if info, err := os.Stat(dir); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				return int(st.Uid)
			}
			return -1
		}
		above := filepath.Dir(dir)
		if above == dir {
			return -1
		}
		dir = above
	}
}
