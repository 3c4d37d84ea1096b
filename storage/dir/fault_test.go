package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
)

// Every call of every kind of upload fails once, each way that a call can.
// Whichever it is: success is reported only for what is stored and synced,
// failure leaves the visible as it was, and the store stops if and only if it
// could not learn whether data are durable.
func TestEveryCallFails(t *testing.T) {
	inEveryWay(t, func(t *testing.T, s scenario) {
		calls := s.fails(t, -1, nil)
		for n, call := range calls {
			faults := []error{syscall.EIO, noSpace[0], syscall.EROFS}
			if strings.HasPrefix(call, "write") {
				faults = append(faults, errShort)
			}
			for _, fault := range faults {
				t.Run(fmt.Sprintf("%d %s %v", n, call, fault), func(t *testing.T) {
					s.fails(t, n, fault)
				})
			}
		}
	})
}

// fails does the upload in a fresh store, lets its n-th call fail, checks what
// came of it and returns the calls.
func (s scenario) fails(t *testing.T, n int, fault error) []string {
	folder := storagetest.MemoryDir(t)
	d, w := s.open(t, folder)
	before := tree(t, folder)
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
	_, err := s.upload(d)
	calls := w.taken()
	w.before = func(string) error { return nil }
	op, _, _ := strings.Cut(failed, " ")
	wrapped := fault
	if fault == errShort {
		wrapped = io.ErrShortWrite
	}

	if err != nil {
		if diff := cmp.Diff(before, tree(t, folder)); diff != "" {
			t.Errorf("visible after a failure (-before +after):\n%.2000s", diff)
		}
	} else {
		// Errors of remove leave work to the next Open.
		last := s.way&unnamed != 0 && failed == "close P" // all is durable by then
		compared := fault == noSpace[0] && slices.Contains([]string{"create", "nameless", "lstat", "open", "stat", "read"}, op) && maps.Equal(s.before, s.after)
		if failed != "" && !last && !compared && op != "remove" && op != "attribute" && op != "noted" && failed != "lstat P" && !slices.Contains(s.harmless, failed) {
			t.Errorf("success although %q failed", failed)
		}
		if diff := cmp.Diff(s.after, files(t, folder)); diff != "" {
			t.Errorf("visible after success (-want +got):\n%.2000s", diff)
		}
	}
	if err != nil && op == "attribute" {
		t.Errorf("failed for want of an attribute: %v", err)
	}
	left, rest := hiddenIn(t, folder)
	if len(rest) > 0 && op != "remove" {
		t.Errorf("left behind: %v", rest)
	}
	if left != nil && op != "remove" && (err == nil || op == "write") {
		t.Errorf("left behind to be resumed: %v", left)
	}

	// What close reports of a file that is to be kept is what fsync would.
	kept := s.way&batched != 0 && slices.Contains(calls[:max(n, 0)], "chmod P")
	final := err != nil && (op == "sync" || op == "syncfs" ||
		op == "close" && (kept || strings.HasPrefix(calls[n-1], "sync")))
	if errors.Is(d.Err(), storage.ErrFailed) != final || errors.Is(err, storage.ErrFailed) != final {
		t.Errorf("store failed: %v, upload: %v; want final: %v", d.Err(), err, final)
	}
	if strings.HasPrefix(op, "sync") && !final {
		t.Errorf("failure of %q is not final", failed)
	}
	if err != nil && !errors.Is(err, wrapped) {
		t.Errorf("error %v does not wrap %v", err, wrapped)
	}
	if fault == noSpace[0] && err != nil && op != "truncate" && op != "close" && errors.Is(err, storage.ErrNoSpace) == final {
		t.Errorf("error %v, want ErrNoSpace: %v", err, !final)
	}
	if final {
		if after := calls[n+1:]; slices.ContainsFunc(after, func(c string) bool { return strings.HasPrefix(c, "sync") }) {
			t.Errorf("synced again: %q", after)
		}
		if _, err := d.Create(context.Background(), storage.File{Name: "later"}); !errors.Is(err, storage.ErrFailed) {
			t.Errorf("Create in a failed store: %v", err)
		}
	} else if _, err := s.upload(d); err != nil {
		t.Errorf("second try: %v", err)
	} else if diff := cmp.Diff(s.after, files(t, folder)); diff != "" {
		t.Errorf("visible after the second try (-want +got):\n%.2000s", diff)
	}
	return calls
}

// A kernel that fails to write out early may tell nobody else: the failure is
// as final as that of a sync.
func TestWriteOutFails(t *testing.T) {
	d, w := watchDir(t, storagetest.MemoryDir(t), storage.Rename)
	w.before = func(call string) error {
		if call == "writeout P" {
			return syscall.EIO
		}
		return nil
	}
	_, err := upload(d, "f", strings.Repeat("x", writeOutStep+1))
	if !errors.Is(err, storage.ErrFailed) || !errors.Is(err, syscall.EIO) || !errors.Is(d.Err(), storage.ErrFailed) {
		t.Errorf("upload: %v, store: %v; want ErrFailed of both", err, d.Err())
	}
	if calls := w.taken(); slices.Contains(calls, "sync P") {
		t.Errorf("synced after the failure: %q", calls)
	}
	if left, rest := hiddenIn(t, d.path); left != nil || rest != nil {
		t.Errorf("left behind: %v %v", left, rest)
	}
}

// Once the store has failed, an upload that was under way fails, too, and
// nothing is synced any more.
func TestFailureStopsOthers(t *testing.T) {
	d, w := watchDir(t, storagetest.MemoryDir(t), storage.Rename)
	other, err := d.Create(context.Background(), storage.File{Name: "other", Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	w.before = func(call string) error {
		if call == "sync P" {
			return syscall.EIO
		}
		return nil
	}
	if _, err := upload(d, "f", "new"); !errors.Is(err, storage.ErrFailed) {
		t.Errorf("upload: %v, want ErrFailed", err)
	}
	w.taken()
	if _, err := other.ReadFrom(strings.NewReader("x")); !errors.Is(err, storage.ErrFailed) {
		t.Errorf("ReadFrom: %v, want ErrFailed", err)
	}
	if _, err := other.Commit(context.Background(), storage.Sum{Size: -1}); !errors.Is(err, storage.ErrFailed) {
		t.Errorf("Commit: %v, want ErrFailed", err)
	}
	if calls := w.taken(); slices.Contains(calls, "sync P") {
		t.Errorf("synced after the failure: %q", calls)
	}
}

// TestFilesystemWithoutMetadata has a filesystem that sets no permissions, times
// and attributes, as NFS with access lists, FUSE and CIFS may: files are kept all
// the same, nobody may do more with them than with their source, and it is noted
// once. A filesystem that became read-only is another matter.
func TestFilesystemWithoutMetadata(t *testing.T) {
	for _, fault := range []error{syscall.EPERM, syscall.ENOTSUP, syscall.ENOSYS} {
		inEveryWay(t, func(t *testing.T, s scenario) {
			folder := storagetest.MemoryDir(t)
			d, w := s.open(t, folder)
			var noted []string
			d.notes.tell = func(what string, err error) {
				if !errors.Is(err, fault) {
					t.Errorf("%s: noted error %v, want %v", what, err, fault)
				}
				noted = append(noted, what)
			}
			refused := 0
			w.before = func(call string) error {
				switch op, _, _ := strings.Cut(call, " "); op {
				case "chmod", "chtimes", "modtime", "attribute", "noted":
					refused++
					return fault
				}
				return nil
			}
			if _, err := s.upload(d); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.after, files(t, folder)); diff != "" {
				t.Errorf("visible (-want +got):\n%s", diff)
			}
			for _, name := range []string{"one", "two"} {
				p, err := d.Create(context.Background(), storage.File{Name: name, Mode: 0o044, HasMode: true, ModTime: time.Unix(1, 0)})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.Commit(context.Background(), storage.Sum{Size: 0}); err != nil {
					t.Fatal(err)
				}
				fi, err := os.Stat(filepath.Join(folder, name))
				if err != nil {
					t.Fatal(err)
				}
				if mode := fi.Mode().Perm(); runtime.GOOS != "windows" && mode&^0o644 != 0 {
					t.Errorf("%s: mode %v", name, mode)
				}
			}
			if refused < 4 || len(noted) != 2 {
				t.Errorf("refused %d times, noted %q; want two notes", refused, noted)
			}
		})
	}
}
