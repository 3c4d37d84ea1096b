//go:build unix

package uploader

import (
	"os"
	"syscall"
)

// allocated returns how many bytes a file takes up on its disk.
func allocated(info os.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}
