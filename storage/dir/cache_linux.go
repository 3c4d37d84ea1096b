package dir

import (
	"os"

	"golang.org/x/sys/unix"
)

// isCold reports whether the system certainly has nothing of a file in its cache
// (cachestat, since Linux 6.5).
func isCold(f *os.File) bool {
	var stat unix.Cachestat_t
	err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &stat, 0)
	return err == nil && stat.Cache == 0
}

func dropCached(f *os.File, offset, n int64) {
	unix.Fadvise(int(f.Fd()), offset, n, unix.FADV_DONTNEED)
}
