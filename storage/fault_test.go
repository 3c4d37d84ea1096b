package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every call of every kind of upload fails once, each way that a call can.
// Whichever it is: success is reported only for what is stored and synced,
// failure leaves the visible as it was, and the store stops if and only if it
// could not learn whether data are durable.
func TestEveryCallFails(t *testing.T) {
	for _, upload := range []faultyUpload{
		{"plain", Rename, nil, "f", "new", nil},
		{"large", Rename, nil, "f", strings.Repeat("x", small), nil},
		{"new folders", Rename, nil, "a/b/f", "new", nil},
		{"unchanged", Rename, map[string]string{"f": "new"}, "f", "new",
			[]string{"close f", "close P again"}},
		{"renamed", Rename, map[string]string{"a/f": "old", "a/f (2)": "older"}, "a/f", "new",
			[]string{"close a/f", "close a/f (2)", "close P again"}},
		{"replaced", Replace, map[string]string{"f": "old"}, "f", "new",
			[]string{"close f", "close P again"}},
	} {
		t.Run(upload.what, func(t *testing.T) {
			calls := upload.run(t, -1, nil)
			for n, call := range calls {
				faults := []error{syscall.EIO, noSpace[0], syscall.EROFS}
				if strings.HasPrefix(call, "write") {
					faults = append(faults, errShort)
				}
				for _, fault := range faults {
					t.Run(fmt.Sprintf("%d %s %v", n, call, fault), func(t *testing.T) {
						upload.run(t, n, fault)
					})
				}
			}
		})
	}
}

type faultyUpload struct {
	what     string
	conflict Conflict
	before   map[string]string
	name     string
	data     string
	harmless []string // calls other than remove whose failure changes nothing
}

// run does the upload in a fresh store, lets its n-th call fail, checks what
// came of it and returns the calls.
func (u faultyUpload) run(t *testing.T, n int, fault error) []string {
	dir := t.TempDir()
	d, w := watchDir(t, dir, u.conflict)
	for _, name := range slices.Sorted(maps.Keys(u.before)) {
		mustUpload(t, d, name, u.before[name])
	}
	before := tree(t, dir)

	w.taken()
	failed := "" // the call that did
	i := 0
	w.before = func(call string) error {
		i++
		if i-1 != n {
			return nil
		}
		failed = call
		return fault
	}
	r, err := upload(d, u.name, u.data)
	calls := w.taken()
	w.before = func(string) error { return nil }
	op, _, _ := strings.Cut(failed, " ")
	wrapped := fault
	if fault == errShort {
		wrapped = io.ErrShortWrite
	}

	if err != nil {
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("visible after a failure (-before +after):\n%s", diff)
		}
	} else {
		// Errors of remove leave work to the next OpenDir.
		if failed != "" && op != "remove" && !slices.Contains(u.harmless, failed) {
			t.Errorf("success although %q failed", failed)
		}
		after := maps.Clone(before)
		after[r.Name] = u.data
		if got := tree(t, dir); u.before == nil {
			if got[r.Name] != u.data {
				t.Errorf("stored %q", got)
			}
		} else if diff := cmp.Diff(after, got); diff != "" {
			t.Errorf("visible after success (-want +got):\n%s", diff)
		}
	}
	if entries, _ := os.ReadDir(dir + "/" + hidden); len(entries) != 1 && op != "remove" {
		t.Errorf("left behind: %v", entries)
	}

	final := err != nil && (op == "sync" || op == "close")
	if errors.Is(d.Err(), ErrFailed) != final || errors.Is(err, ErrFailed) != final {
		t.Errorf("store failed: %v, upload: %v; want final: %v", d.Err(), err, final)
	}
	if op == "sync" && !final {
		t.Errorf("failure of %q is not final", failed)
	}
	if err != nil && !errors.Is(err, wrapped) {
		t.Errorf("error %v does not wrap %v", err, wrapped)
	}
	if fault == noSpace[0] && err != nil && errors.Is(err, ErrNoSpace) == final {
		t.Errorf("error %v, want ErrNoSpace: %v", err, !final)
	}
	if final {
		if after := calls[n+1:]; slices.ContainsFunc(after, func(c string) bool { return strings.HasPrefix(c, "sync") }) {
			t.Errorf("synced again: %q", after)
		}
		if _, err := d.Create(context.Background(), File{Name: "later"}); !errors.Is(err, ErrFailed) {
			t.Errorf("Create in a failed store: %v", err)
		}
	} else if _, err := upload(d, u.name, u.data); err != nil {
		t.Errorf("second try: %v", err)
	}
	return calls
}

// tree returns the contents of what is visible; a folder's name ends in a slash.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	fsys := os.DirFS(dir)
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case name == hidden:
			return fs.SkipDir
		case e.IsDir():
			seen[name+"/"] = ""
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		seen[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// Once the store has failed, an upload that was under way fails, too, and
// nothing is synced any more.
func TestFailureStopsOthers(t *testing.T) {
	d, w := watchDir(t, t.TempDir(), Rename)
	other, err := d.Create(context.Background(), File{Name: "other", Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	w.before = func(call string) error {
		if call == "sync P" {
			return syscall.EIO
		}
		return nil
	}
	if _, err := upload(d, "f", "new"); !errors.Is(err, ErrFailed) {
		t.Errorf("upload: %v, want ErrFailed", err)
	}
	w.taken()
	if _, err := other.ReadFrom(strings.NewReader("x")); !errors.Is(err, ErrFailed) {
		t.Errorf("ReadFrom: %v, want ErrFailed", err)
	}
	if _, err := other.Commit(context.Background(), Sum{Size: -1}); !errors.Is(err, ErrFailed) {
		t.Errorf("Commit: %v, want ErrFailed", err)
	}
	if calls := w.taken(); slices.Contains(calls, "sync P") {
		t.Errorf("synced after the failure: %q", calls)
	}
}
