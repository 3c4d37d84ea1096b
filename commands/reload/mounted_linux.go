package reload

import "golang.org/x/sys/unix"

// isMountPoint reports whether a file, itself and not its folder, is mounted, as
// far as the kernel tells (Linux 5.8).
func isMountPoint(name string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, name, 0, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}
