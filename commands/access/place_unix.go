//go:build unix

package access

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/labnet/labnet/commands/problem"
)

// checkPlace fails if somebody else could put another file in the place of a tokens
// file: who owns a folder or can write to it may replace what is in it. In one with the
// sticky bit, such as /tmp, only the owner of a file may, which must then be root or
// the user of this process. A symlink can be replaced, too, and so can a folder above.
func checkPlace(file string, fi fs.FileInfo) error {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	for _, name := range []string{real, file} {
		if err := cmp.Or(checkFolder(filepath.Dir(name), fi), checkAbove(filepath.Dir(name))); err != nil {
			return err
		}
	}
	return nil
}

// checkAbove fails if everybody could put another folder in the place of one, or of
// those above it. What a group may do there is its members' business: the home folders
// of many systems are open to one.
func checkAbove(folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	for above := filepath.Dir(folder); above != folder; folder, above = above, filepath.Dir(above) {
		fi, err := os.Stat(above)
		if err != nil || fi.Mode().Perm()&0o002 == 0 {
			continue // who cannot be seen is above where this process was put
		}
		inner, err := os.Lstat(folder)
		if err != nil {
			return err
		}
		if fi.Mode()&fs.ModeSticky == 0 {
			return replaceable(above, "everybody can write to a folder above it", "chmod o-w "+above)
		}
		if !trusted(ownerOf(inner)) {
			return replaceable(folder, "a folder above it belongs to somebody else, where everybody can write", "chown it, or move the file elsewhere")
		}
	}
	return nil
}

// trusted reports whether a user may do anything here anyway.
func trusted(uid int) bool { return uid == 0 || uid == os.Geteuid() }

func checkFolder(folder string, file fs.FileInfo) error {
	fi, err := os.Stat(folder)
	if err != nil {
		return err
	}
	owner := ownerOf(fi)
	switch shared := fi.Mode().Perm()&0o022 != 0; {
	case shared && fi.Mode()&fs.ModeSticky == 0:
		return replaceable(folder, "others can write to its folder", "chmod go-w "+folder)
	case shared && !trusted(ownerOf(file)):
		return replaceable(folder, "it belongs to somebody else, in a folder that others can write to", "chown it, or move it to a folder of its own")
	case !trusted(owner) && owner != ownerOf(file):
		return replaceable(folder, fmt.Sprintf("its folder belongs to user %d", owner), "chown the folder, or move it to another")
	}
	return nil
}

func replaceable(folder, why, hint string) error {
	return problem.New(fmt.Sprintf("%s (%s)", why, folder), "failed", hint+": anyone who can replace the file can add users")
}

func ownerOf(fi fs.FileInfo) int { return int(fi.Sys().(*syscall.Stat_t).Uid) }
