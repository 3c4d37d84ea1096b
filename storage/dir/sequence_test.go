package dir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
)

// The order of the calls is the promise: what was written is synced before it
// has a name, and the name and those of new folders before Commit returns.
func TestSequence(t *testing.T) {
	if !canSyncDirs {
		t.Skip("directories cannot be synced on this system")
	}
	const (
		prepared  = "chtimes P, stat P, attribute P, chmod P"
		synced    = "sync P, close P"
		unnamedly = "modtime P, stat P, attribute P"
		top       = "open ., sync ., close ."
		compared  = "lstat f, open f, stat f"
		read      = "open P, read f, read f, read P again, noted f, sync f, close P again, close f"
		readOpen  = "read f, read f, read P again, noted f, sync f, close f"
	)
	for _, test := range []struct {
		what   string
		way    way
		before []string // contents of f, uploaded in turn before
		name   string
		data   string
		want   []string
	}{
		{"plain", alone, nil, "f", "one", []string{
			"lstat f, create P, write P", prepared, synced, "move P f", top}},
		{"large", alone, nil, "f", longer, []string{
			"lstat f, create P, allocate P, write P, write P", prepared, synced, "move P f", top}},
		{"new folders", alone, nil, "a/b/f", "one", []string{
			"lstat a, create P, write P", prepared, synced,
			"move P a/b/f, mkdir a, mkdir a/b, move P a/b/f",
			"open a/b, sync a/b, close a/b", top, "open a, sync a, close a"}},
		{"unchanged", alone, []string{"one"}, "f", "one", []string{
			"lstat f, create P, write P", prepared, synced, "move P f", compared, read, top, "remove P"}},
		{"renamed", alone, []string{"one"}, "f", "three", []string{
			"lstat f, create P, write P", prepared, synced, "move P f", compared, "close f",
			"move P f (2)", top}},
		{"replaced", replacing, []string{"one"}, "f", "three", []string{
			"lstat f, create P, write P", prepared, synced, "move P f", compared, "close f",
			"lstat f, link f P.old, rename P f", top, "remove P.old"}},

		{"plain", linked, nil, "f", "one", []string{
			"lstat f, create P, write P", prepared, synced, "link P f", top, "remove P"}},
		{"new folders", linked, nil, "a/f", "one", []string{
			"lstat a, create P, write P", prepared, synced, "link P a/f, mkdir a, link P a/f",
			"open a, sync a, close a", top, "remove P"}},

		{"plain", batched, nil, "f", "one", []string{
			"lstat f, create P, write P", prepared, "close P, syncfs, move P f, syncfs"}},
		{"new folders", batched, nil, "a/b/f", "one", []string{
			"lstat a, create P, write P", prepared, "close P, syncfs",
			"move P a/b/f, mkdir a, mkdir a/b, move P a/b/f, syncfs"}},
		{"unchanged", batched, []string{"one"}, "f", "one", []string{
			"lstat f, create P, write P", prepared, "close P, syncfs, move P f", compared, read, top, "remove P"}},
		{"renamed", batched, []string{"one"}, "f", "three", []string{
			"lstat f, create P, write P", prepared, "close P, syncfs, move P f", compared, "close f",
			"move P f (2), syncfs"}},
		{"replaced", batched | replacing, []string{"one"}, "f", "three", []string{
			"lstat f, create P, write P", prepared, "close P, syncfs, move P f", compared, "close f",
			"lstat f, link f P.old, rename P f, syncfs, remove P.old"}},

		{"plain", unnamed, nil, "f", "one", []string{
			"lstat f, nameless, write P", unnamedly, "sync P, name P f, sync P", top, "close P"}},
		{"plain", unnamed | batched, nil, "f", "one", []string{
			"lstat f, nameless, write P", unnamedly, "syncfs, name P f, syncfs, close P"}},
		{"new folders", unnamed | batched, nil, "a/f", "one", []string{
			"lstat a, nameless, write P", unnamedly, "syncfs, name P a/f, mkdir a, name P a/f, syncfs, close P"}},
		{"unchanged", unnamed | batched, []string{"one"}, "f", "one", []string{
			"lstat f, nameless, write P", unnamedly, "syncfs, name P f", compared, readOpen, top, "close P"}},
		{"renamed", unnamed | batched, []string{"one"}, "f", "three", []string{
			"lstat f, nameless, write P", unnamedly, "syncfs, name P f", compared, "close f",
			"name P f (2), syncfs, close P"}},
		{"replaced", unnamed | batched | replacing, []string{"one"}, "f", "three", []string{
			"lstat f, nameless, write P", unnamedly, "syncfs, name P f", compared, "close f",
			"lstat f, name P P, link f P.old, rename P f, syncfs, remove P.old, close P"}},
	} {
		t.Run(fmt.Sprintf("%s %v", test.what, test.way), func(t *testing.T) {
			d, w := test.way.watch(t, storagetest.MemoryDir(t))
			for _, data := range test.before {
				mustUpload(t, d, "f", data)
			}
			w.taken()
			mustUpload(t, d, test.name, test.data)
			expectCalls(t, w, strings.Join(test.want, ", "))
		})
	}
}

// expectCalls compares the calls since the last ones were taken.
func expectCalls(t *testing.T, w *watch, want string) {
	t.Helper()
	calls := strings.Split(strings.Join(strings.Fields(want), " "), ", ")
	if diff := cmp.Diff(calls, w.taken()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// What interruptions add. Of a file whose contents take long to sync they are
// synced before it has another age and other permissions than a partial.
func TestSequenceOfInterruptions(t *testing.T) {
	if !canSyncDirs {
		t.Skip("directories cannot be synced on this system")
	}
	const commit = `chtimes P, stat P, attribute P, chmod P, sync P, close P,
		move P f, open ., sync ., close .`
	for _, test := range []struct {
		scenario
		want string
	}{
		{scenario{what: "begun", data: "contents"}, `
			lstat f, lstat P, create P, write P, ` + commit},
		{scenario{what: "resumed", data: "contents", left: "cont"}, `
			lstat f, lstat P, open P, stat P, links P, read P, read P, write P, ` + commit},
		{scenario{what: "resumed and large", data: longer, left: "0123"}, `
			lstat f, lstat P, open P, stat P, links P, read P, read P, allocate P, write P, ` + commit},
		{scenario{what: "resumed and complete", data: longer, left: longer}, `
			lstat f, lstat P, open P, stat P, links P, read P, read P, read P, ` + commit},
		{scenario{what: "too long", data: "contents", left: "longer than that"}, `
			lstat f, lstat P, open P, stat P, links P, close P, remove P, create P, write P, ` + commit},
		{scenario{what: "restarted", data: "contents", left: "CONT"}, `
			lstat f, lstat P, open P, stat P, links P, read P, read P,
			close P, remove P, create P, write P, ` + commit},
		{scenario{what: "grown", before: map[string]string{"f": longer[:small]}, data: longer}, `
			lstat f, lstat P, lstat f (2), open f, stat f, read f,
			create P, clone f P, allocate P, read f, write P, stat f, close f, write P, ` +
			strings.Replace(commit, "move P f", "move P f, lstat f, open f, stat f, close f, move P f (2)", 1)},
		{scenario{what: "suspended", data: longer, suspend: 4}, `
			lstat f, lstat P, create P, allocate P, write P, truncate P, close P,
			lstat f, lstat P, open P, stat P, links P, read P, read P, allocate P, write P, ` + commit},
		{scenario{what: "takes long", data: strings.Repeat("x", large)}, `
			lstat f, lstat P, create P, allocate P` + strings.Repeat(", write P", large/bufferSize) + `, sync P, ` + commit},
		{scenario{what: "takes long without ID", data: strings.Repeat("x", large), noID: true}, `
			lstat f, create P, allocate P` + strings.Repeat(", write P", large/bufferSize) + `, ` + commit},
		{scenario{what: "written out early", data: strings.Repeat("x", writeOutStep+1)}, `
			lstat f, lstat P, create P, allocate P` + strings.Repeat(", write P", writeOutStep/bufferSize) + `, writeout P, write P, sync P, ` + commit},
		{scenario{what: "written out early and resumed", data: strings.Repeat("x", writeOutStep+1), left: "xxxx"}, `
			lstat f, lstat P, open P, stat P, links P, read P, read P, allocate P` + strings.Repeat(", write P", writeOutStep/bufferSize) + `, sync P, ` + commit},
		{scenario{what: "takes long in a batch", data: strings.Repeat("x", large), noID: true, way: batched}, `
			lstat f, create P, allocate P` + strings.Repeat(", write P", large/bufferSize) + `,
			chtimes P, stat P, attribute P, chmod P, sync P, close P, move P f, syncfs`},
	} {
		t.Run(test.what, func(t *testing.T) {
			test.name = "f"
			d, w := test.open(t, storagetest.MemoryDir(t))
			if _, err := test.upload(d); err != nil {
				t.Fatal(err)
			}
			expectCalls(t, w, test.want)
		})
	}
}

func mustUpload(t *testing.T, d *Store, name, data string) storage.Receipt {
	t.Helper()
	r, err := upload(d, name, data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A folder that one upload has made but not yet made durable is there for a
// second upload, which must not be acknowledged on the strength of the first.
func TestFolderMadeByAnotherIsSynced(t *testing.T) {
	if !canSyncDirs {
		t.Skip("directories cannot be synced on this system")
	}
	d, w := watchDir(t, storagetest.MemoryDir(t), storage.Rename)
	testSecondSyncsFolder(t, d, w, "sync .", 1)
}

// Likewise while the names of a batch, which all share a folder that somebody else
// has made, are still to be made durable.
func TestFolderOfBatchIsSynced(t *testing.T) {
	if !canSyncDirs {
		t.Skip("directories cannot be synced on this system")
	}
	folder := storagetest.MemoryDir(t)
	d, w := batched.watch(t, folder)
	if err := os.Mkdir(filepath.Join(folder, "a"), 0o777); err != nil {
		t.Fatal(err)
	}
	testSecondSyncsFolder(t, d, w, "syncfs", 2)
}

// testSecondSyncsFolder uploads a second file before the n-th of the given calls for
// the first one of a folder is made, and a third one after it.
func testSecondSyncsFolder(t *testing.T, d *Store, w *watch, before string, n int) {
	t.Helper()
	var second []string
	w.before = func(call string) error {
		if call != before {
			return nil
		}
		if n--; n == 0 {
			d.NeverBatch()
			w.taken()
			mustUpload(t, d, "a/second", "2")
			second = w.taken()
		}
		return nil
	}
	mustUpload(t, d, "a/first", "1")
	if !slices.Contains(second, "sync .") {
		t.Errorf("the second upload did not make the folder durable: %q", second)
	}
	mustUpload(t, d, "a/third", "3")
	if calls := w.taken(); slices.Contains(calls[len(calls)-5:], "sync .") {
		t.Errorf("the third upload made the folder durable again: %q", calls)
	}
}

func TestFolderMadeAnewIsSynced(t *testing.T) {
	if !canSyncDirs {
		t.Skip("directories cannot be synced on this system")
	}
	folder := storagetest.MemoryDir(t)
	d, w := watchDir(t, folder, storage.Rename)
	mustUpload(t, d, "a/first", "1")
	if err := os.RemoveAll(filepath.Join(folder, "a")); err != nil {
		t.Fatal(err)
	}
	w.taken()
	mustUpload(t, d, "a/second", "2")
	if calls := w.taken(); !slices.Contains(calls, "sync .") {
		t.Errorf("the new folder was not made durable: %q", calls)
	}
}

// An upload must not be acknowledged for contents under a name that another
// upload, whose fsync has failed, takes away again.
func TestNameIsHeldUntilDurable(t *testing.T) {
	if !canSyncDirs {
		t.Skip("directories cannot be synced on this system")
	}
	synctest.Test(t, func(t *testing.T) {
		folder := storagetest.MemoryDir(t)
		d, w := watchDir(t, folder, storage.Rename)
		var second error
		begun := false
		w.before = func(call string) error {
			if call != "sync ." || begun {
				return nil
			}
			begun = true
			go func() { _, second = upload(d, "f", "same") }()
			synctest.Wait()
			return syscall.EIO
		}
		if _, err := upload(d, "f", "same"); !errors.Is(err, storage.ErrFailed) {
			t.Errorf("first: error %v, want ErrFailed", err)
		}
		synctest.Wait()
		if !errors.Is(second, storage.ErrFailed) {
			t.Errorf("second: error %v, want ErrFailed", second)
		}
		if _, err := os.Lstat(filepath.Join(folder, "f")); err == nil {
			t.Error("f is visible")
		}
	})
}
