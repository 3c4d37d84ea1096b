package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
)

// The process dies before every call of every kind of upload, and in the midst
// of every write; alone or with the machine. Whichever it is: what was
// acknowledged is there, nothing torn is visible, nothing is left but what can
// be resumed, and a second try completes the upload as if nothing had been.
func TestDeathAtEveryCall(t *testing.T) {
	inEveryWay(t, func(t *testing.T, s scenario) {
		calls := s.dies(t, 1<<30, errDead, survives)
		for n := range len(calls) + 1 {
			call := "the end"
			if n < len(calls) {
				call = calls[n]
			}
			for _, m := range []machine{survives, losesNames, keepsNames} {
				t.Run(fmt.Sprintf("%d %s, %v", n, call, m), func(t *testing.T) {
					s.dies(t, n, errDead, m)
				})
			}
			if strings.HasPrefix(call, "write") {
				t.Run(fmt.Sprintf("%d %s, a half", n, call), func(t *testing.T) {
					s.dies(t, n, errShort, survives)
				})
			}
		}
	})
}

// A machine is what becomes of it when the process dies. When its power is cut,
// names that are not durable may be lost or not, and it must make no difference.
type machine string

const (
	survives   machine = "no power cut"
	losesNames machine = "power cut"
	keepsNames machine = "power cut, names kept"
)

// dieAt lets the n-th call and all that follow do nothing, except for the half of
// a write if last is errShort.
func (w *watch) dieAt(n int, last error) {
	i := 0
	w.before = func(string) error {
		i++
		switch {
		case i-1 < n:
			return nil
		case i-1 == n:
			return last
		}
		return errDead
	}
}

// dies does the upload in a fresh store that dies at its n-th call, opens the
// store again, checks what came of it and returns the calls.
func (s scenario) dies(t *testing.T, n int, last error, m machine) []string {
	folder := storagetest.MemoryDir(t)
	d, w := s.open(t, folder)
	w.dieAt(n, last)
	first, err := s.upload(d)
	acknowledged := err == nil
	calls := w.taken()
	d.Close() // unlocks the store, as death does
	cutPower(t, m, folder, calls[:min(n, len(calls))], map[string]string{"P": partialPath(storage.File{ID: "id"})}, s.before)
	if s.young {
		loseYoung(t, m, folder, calls[:min(n, len(calls))], s.before)
	}
	left, _ := hiddenIn(t, folder)
	published := left != nil && isPublished(t, folder, left)

	d, _ = s.way.watch(t, folder)
	kept, rest := hiddenIn(t, folder)
	if len(rest) > 0 {
		t.Errorf("left behind: %v", rest)
	}
	// From chtimes on the partial has the age of the file and may expire.
	expired := slices.ContainsFunc(calls[:min(n, len(calls))], func(c string) bool { return c == "chtimes P" || c == "modtime P" })
	if want := left != nil && left.Size() > 0 && !published && !expired; (kept != nil) != want {
		t.Errorf("left to be resumed: %v, want any: %v", kept, want)
	} else if kept != nil && kept.Size() != left.Size() {
		t.Errorf("left to be resumed: %d bytes of %d", kept.Size(), left.Size())
	}
	visible := files(t, folder)
	for name, data := range visible {
		if s.young && s.before[name] != "" && !(acknowledged && name == first.Name) {
			continue // others have put it there, and nobody was told that it is durable
		}
		if data != s.after[name] && (s.before[name] == "" || data != s.before[name]) {
			t.Errorf("visible: %q holds %.40q", name, data)
		}
	}
	for name := range s.before {
		if visible[name] == "" && !s.young {
			t.Errorf("%q is gone", name)
		}
	}
	if acknowledged && visible[first.Name] != s.data {
		t.Errorf("%q holds %.40q, though acknowledged", first.Name, visible[first.Name])
	}
	if acknowledged && !s.young {
		if diff := cmp.Diff(s.after, visible); diff != "" {
			t.Errorf("visible though acknowledged (-want +got):\n%.2000s", diff)
		}
	}
	if s.young && !acknowledged && (s.check || s.quick) {
		return calls // it may rightly be said to be gone, or assumed to be what it was
	}
	r, err := s.upload(d)
	if err != nil {
		t.Fatalf("second try: %v", err)
	}
	got := files(t, folder)
	if got[r.Name] != s.data {
		t.Errorf("second try: %q holds %.40q", r.Name, got[r.Name])
	}
	if !s.young {
		if diff := cmp.Diff(s.after, got); diff != "" {
			t.Errorf("visible after the second try (-want +got):\n%.2000s", diff)
		}
	}
	if kept, rest := hiddenIn(t, folder); kept != nil || len(rest) > 0 {
		t.Errorf("left behind after the second try: %v %v", kept, rest)
	}
	return calls
}

// cutPower takes from dir what the calls have not made durable: the bytes of
// the partials, which become zeros, and the names of files and folders, except for
// those that were there before. Partials is their paths by what calls call them.
func cutPower(t *testing.T, m machine, folder string, calls []string, partials, before map[string]string) {
	t.Helper()
	if m == survives {
		return
	}
	if !canSyncDirs {
		t.Skip("directories cannot be synced on this system")
	}
	at := func(name string) string { return filepath.Join(folder, filepath.FromSlash(name)) }
	last := map[string]int{}     // where each call was made last, from 1
	owner := map[string]string{} // whose a name is: the first's to try
	for i, call := range calls {
		if strings.HasPrefix(call, "mkdir ") && last[call] > 0 {
			continue // it was there already
		}
		last[call] = i + 1
		if f := strings.SplitN(call, " ", 3); len(f) > 2 && owner[f[2]] == "" {
			owner[f[2]] = f[1]
		}
	}
	lost := func(call, name string) bool { // whether the name that the call made is
		made := max(last["syncfs"], last["sync "+path.Dir(name)])
		if f := strings.Fields(call); f[0] == "name" { // a file that has its first name is another file
			made = min(made, max(last["syncfs"], last["sync "+f[1]]))
		}
		return m == losesNames && made < last[call]
	}
	for p, partial := range partials {
		names := []string{partial}
		for call := range last {
			name, given := strings.CutPrefix(call, "link "+p+" ")
			if !given {
				name, given = strings.CutPrefix(call, "name "+p+" ")
			}
			linked := given
			if !given {
				name, given = strings.CutPrefix(call, "move "+p+" ")
			}
			if _, there := before[name]; there || owner[name] != p {
				given = false
			}
			renamed, replaced := strings.CutPrefix(call, "rename "+p+" ")
			if replaced {
				name = renamed
			}
			if _, err := os.Lstat(at(name)); err != nil || !given && !replaced {
				continue
			}
			var err error
			switch {
			case !lost(call, name):
				names = append(names, name)
			case linked:
				err = os.Remove(at(name))
			default:
				err = os.Rename(at(name), at(partial))
			}
			if replaced && lost(call, name) {
				err = errors.Join(err, os.Link(at(oldIn(t, folder)), at(name)))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range names {
			if max(last["syncfs"], last["sync "+p]) <= last["write "+p] {
				spoil(t, at(name))
			}
		}
	}
	for call := range last {
		if name, made := strings.CutPrefix(call, "mkdir "); made && lost(call, name) {
			if err := os.RemoveAll(at(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// loseYoung takes from dir what was there before and the calls have not made durable.
func loseYoung(t *testing.T, m machine, folder string, calls []string, before map[string]string) {
	t.Helper()
	durable := func(what string) bool {
		return slices.Contains(calls, "sync "+what) || slices.Contains(calls, "syncfs")
	}
	for name := range before {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if m != survives && !durable(name) {
			spoil(t, file)
		}
		if m == losesNames && !durable(path.Dir(name)) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// oldIn finds what was replaced and still has its second name.
func oldIn(t *testing.T, folder string) string {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(folder, hidden, "*.old"))
	if err != nil || len(old) != 1 {
		t.Fatalf("%d files were replaced (%v)", len(old), err)
	}
	return path.Join(hidden, filepath.Base(old[0]))
}

// spoil fills a file, if there is one, with zeros.
func spoil(t *testing.T, name string) {
	t.Helper()
	fi, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = os.WriteFile(name, make([]byte, fi.Size()), 0)
	}
	if err == nil {
		err = os.Chtimes(name, time.Time{}, fi.ModTime())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// isPublished reports whether the file fi is visible in dir.
func isPublished(t *testing.T, folder string, fi os.FileInfo) bool {
	t.Helper()
	for name := range files(t, folder) {
		if visible, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		} else if os.SameFile(visible, fi) {
			return true
		}
	}
	return false
}

// MakeFolder keeps its promise, too, whatever fails.
func TestMakeFolderFailsAtEveryCall(t *testing.T) {
	ctx := context.Background()
	run := func(t *testing.T, prepare func(w *watch)) (folder string, d *Store, w *watch, err error) {
		folder = storagetest.MemoryDir(t)
		d, w = watchDir(t, folder, storage.Rename)
		prepare(w)
		return folder, d, w, d.MakeFolder(ctx, "a/b", nil)
	}
	_, _, w, err := run(t, func(*watch) {})
	if err != nil {
		t.Fatal(err)
	}
	calls := w.taken()
	if canSyncDirs && (!slices.Contains(calls, "sync .") || !slices.Contains(calls, "sync a")) {
		t.Errorf("not durable: %q", calls)
	}
	for n, call := range calls {
		t.Run(fmt.Sprintf("%d %s", n, call), func(t *testing.T) {
			folder, d, _, err := run(t, func(w *watch) {
				i := 0
				w.before = func(string) error {
					i++
					if i-1 == n {
						return syscall.EIO
					}
					return nil
				}
			})
			if err == nil || len(tree(t, folder)) > 0 {
				t.Errorf("error %v, visible %v", err, tree(t, folder))
			}
			if d.Err() == nil {
				if err := d.MakeFolder(ctx, "a/b", nil); err != nil {
					t.Errorf("second try: %v", err)
				}
			}
		})
		t.Run(fmt.Sprintf("%d %s, death", n, call), func(t *testing.T) {
			folder, d, w, err := run(t, func(w *watch) { w.dieAt(n, errDead) })
			d.Close()
			cutPower(t, losesNames, folder, w.taken()[:n], nil, nil)
			if _, lost := os.Stat(filepath.Join(folder, "a", "b")); err == nil && lost != nil {
				t.Error("gone though acknowledged")
			}
			if err := mustOpen(t, folder, Options{}).MakeFolder(ctx, "a/b", nil); err != nil {
				t.Errorf("second try: %v", err)
			}
		})
	}
}

// A folder that was asked for stays even if the upload that has made it fails.
func TestWantedFolderStays(t *testing.T) {
	if !canSyncDirs {
		t.Skip("directories cannot be synced on this system")
	}
	folder := storagetest.MemoryDir(t)
	d, w := watchDir(t, folder, storage.Rename)
	w.before = func(call string) error {
		if call == "sync a" {
			w.before = func(string) error { return nil }
			if err := d.MakeFolder(context.Background(), "a", nil); err != nil {
				t.Error(err)
			}
			return syscall.EIO
		}
		return nil
	}
	if _, err := upload(d, "a/b/f", "new"); err == nil {
		t.Error("the upload succeeded")
	}
	if diff := cmp.Diff(map[string]string{"a/": ""}, tree(t, folder)); diff != "" {
		t.Errorf("visible (-want +got):\n%s", diff)
	}
}

// A file that comes meanwhile is not taken for the folder.
func TestFileInPlaceOfFolder(t *testing.T) {
	folder := storagetest.MemoryDir(t)
	d, w := watchDir(t, folder, storage.Rename)
	w.before = func(call string) error {
		if call == "mkdir a" {
			return os.WriteFile(filepath.Join(folder, "a"), nil, 0o666)
		}
		return nil
	}
	var bad *storage.NameError
	if err := d.MakeFolder(context.Background(), "a", nil); !errors.As(err, &bad) {
		t.Errorf("error %v, want a NameError", err)
	}
}

// What could not be removed does not stand in the way of the next upload of
// the same ID.
func TestReplacedTwice(t *testing.T) {
	folder := storagetest.MemoryDir(t)
	d, w := watchDir(t, folder, storage.Replace)
	w.before = func(call string) error {
		if call == "remove P.old" {
			return syscall.EIO
		}
		return nil
	}
	for _, data := range []string{"one", "two", "six"} {
		p := begun(t, d, resumableFile("id", 3), data)
		if _, err := p.Commit(context.Background(), storage.Sum{Size: 3}); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(map[string]string{"f": "six"}, tree(t, folder)); diff != "" {
		t.Errorf("visible (-want +got):\n%s", diff)
	}
}
