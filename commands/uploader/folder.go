package uploader

import (
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/storage/dir"
)

var (
	// errLoop means that a link leads to a folder that it is in.
	errLoop = problem.New("leads back to a folder above it", "loop", "")
	// errDangling means that a link leads nowhere.
	errDangling = problem.New("symbolic link to a file that does not exist", "not-found", "")
	// errKind means that there is nothing in it that could be sent.
	errKind = problem.New("neither a file nor a folder", "not-a-file", "")
)

// Items finds what the arguments name, in order.
func (u *Uploader) Items(args []string) iter.Seq[*item] {
	return func(yield func(*item) bool) {
		for _, arg := range args {
			if !u.argument(arg, yield) {
				return
			}
		}
	}
}

// argument yields what one argument names, as the functions below do until
// yield returns false.
func (u *Uploader) argument(arg string, yield func(*item) bool) bool {
	name := u.Name
	if name == "" && arg != "-" {
		name = baseName(arg)
	}
	if u.Into != "" {
		name = u.Into + "/" + name
	}
	if arg == "-" {
		return yield(&item{file: arg, name: name, stream: &stream{Stream: u.Con.Interrupts.Stream(u.Con.In)}})
	}
	info, err := os.Stat(arg)
	if err != nil {
		return yield(&item{file: arg, err: err})
	}
	if by, excluded := u.Exclude.excludesArgument(arg, info.IsDir()); excluded {
		return yield(excludedBy(arg, by))
	}
	switch {
	case info.IsDir():
		modes := make([]fs.FileMode, strings.Count(name, "/")) // of those that --name adds nothing is known
		return u.folder(arg, "", name, []fs.FileInfo{info}, modes, func(it *item) bool {
			it.nested = it.file != arg
			return yield(it)
		})
	case info.Mode().IsRegular():
		return yield(&item{file: arg, name: name})
	case info.Mode()&fs.ModeNamedPipe != 0: // such as bash's <(command)
		f, err := os.Open(arg)
		return yield(&item{file: arg, name: name, err: err, stream: &stream{Stream: u.Con.Interrupts.Stream(f)}})
	}
	return yield(&item{file: arg, err: errKind})
}

// baseName is the last part of a path, even of one such as "." or "..".
func baseName(arg string) string {
	if abs, err := filepath.Abs(arg); err == nil {
		arg = abs
	}
	return filepath.Base(arg)
}

// folder yields what is in the folder at and below it, and at itself if that is
// nothing. From the argument on, at is called inside. It knows the folders above, at
// included, and the permissions of those that lead to name.
func (u *Uploader) folder(at, inside, name string, above []fs.FileInfo, modes []fs.FileMode, yield func(*item) bool) bool {
	modes = append(slices.Clip(modes), folderMode(above[len(above)-1]))
	entries, err := os.ReadDir(at)
	if err != nil && !yield(&item{file: at, err: err}) {
		return false
	}
	if dir.InUse(at, entries) && u.Local() {
		return yield(&item{file: at, note: "the store of a running server, skipped", hint: "to send it to another server, stop its own first"})
	}
	empty := err == nil
	for _, entry := range entries {
		it := &item{file: filepath.Join(at, entry.Name()), name: path.Join(name, entry.Name()), folders: modes}
		info := u.lookAt(it, entry)
		below := path.Join(inside, entry.Name())
		if by, excluded := u.Exclude.excludes(below, info != nil && info.IsDir()); excluded {
			it, info = excludedBy(it.file, by), nil
		}
		empty = empty && it.note != ""
		if info == nil || !info.IsDir() {
			if !yield(it) {
				return false
			}
			continue
		}
		if slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
			it.err = errLoop
			if !yield(it) {
				return false
			}
			continue
		}
		if !u.folder(it.file, below, it.name, append(above, info), modes, yield) {
			return false
		}
	}
	return !empty || yield(&item{file: at, name: name, folder: true, folders: modes})
}

// excludedBy is an item that is left out because of a pattern.
func excludedBy(file, pattern string) *item {
	return &item{file: file, note: "excluded by " + pattern, excluded: true}
}

// folderMode is what a server is told of the permissions of a folder; zero, that
// they are the default.
func folderMode(info fs.FileInfo) fs.FileMode {
	mode := info.Mode().Perm() | 0o700
	if mode == 0o755 || runtime.GOOS == "windows" { // which has no such permissions
		return 0
	}
	return mode
}

// lookAt returns what is behind a folder's entry if it is a folder. Otherwise
// it notes in the item what keeps it from being sent, if anything does.
func (u *Uploader) lookAt(it *item, entry fs.DirEntry) fs.FileInfo {
	kind := entry.Type()
	var info fs.FileInfo
	if kind&fs.ModeSymlink != 0 {
		if !u.Follow {
			it.note, it.hint = "symbolic link, skipped", "-L follows symbolic links"
			return nil
		}
		if info, it.err = os.Stat(it.file); it.err != nil {
			if errors.Is(it.err, fs.ErrNotExist) {
				it.err = errDangling
			}
			return nil
		}
		kind = info.Mode().Type()
	}
	switch {
	case entry.Name() == "Icon\r" && kind.IsRegular():
		it.note = "a Mac's folder icon, skipped: its name has a control character"
		return nil
	case kind.IsDir():
		if info == nil {
			info, it.err = os.Lstat(it.file)
		}
		return info
	case !kind.IsRegular():
		it.note = "neither a file nor a folder, skipped"
	}
	return nil
}
