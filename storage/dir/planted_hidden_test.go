//go:build unix

package dir_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
)

// strangers are what somebody may plant in place of a file. Each but the folder
// would block who opens it without care, or lead out to outside.
func strangers(outside string) map[string]func(t *testing.T, name string) error {
	return map[string]func(t *testing.T, name string) error{
		"FIFO":           func(t *testing.T, name string) error { return syscall.Mkfifo(name, 0o666) },
		"symlink out":    func(t *testing.T, name string) error { return os.Symlink(filepath.Join(outside, "file"), name) },
		"symlink to new": func(t *testing.T, name string) error { return os.Symlink(filepath.Join(outside, "new"), name) },
		"symlink to a FIFO": func(t *testing.T, name string) error {
			return os.Symlink(filepath.Join(outside, "fifo"), name)
		},
		"symlink to a folder": func(t *testing.T, name string) error { return os.Symlink(outside, name) },
		"folder":              func(t *testing.T, name string) error { return os.Mkdir(name, 0o777) },
		"socket": func(t *testing.T, name string) error {
			return syscall.Mknod(name, syscall.S_IFSOCK|0o666, 0)
		},
		"device": func(t *testing.T, name string) error {
			if os.Getuid() != 0 {
				t.Skip("only root can make a device")
			}
			return syscall.Mknod(name, syscall.S_IFCHR|0o666, 1<<8|5) // /dev/zero
		},
	}
}

// TestPlantedHidden: what the store keeps for itself is no way out either, and
// nothing that is planted there blocks it: it is refused, or removed.
func TestPlantedHidden(t *testing.T) {
	id := "id"
	partial := fmt.Sprintf(".labnet/%x.resumable", sha256.Sum256([]byte(id)))
	for _, place := range []struct {
		name    string
		late    bool   // planted while the store is open
		opens   string // what may open in spite of it
		uploads string // what may be uploaded in spite of it
	}{
		{name: ".labnet", opens: "folder", uploads: "folder"},
		{name: ".labnet/lock"},
		{name: ".labnet/probe", opens: "all", uploads: "all"},
		{name: ".labnet/nameless", opens: "all", uploads: "all"},
		{name: partial, opens: "all", uploads: "all"},
		{name: partial, late: true, opens: "all", uploads: "all"},
		{name: "folder", opens: "all", uploads: "folder"},
		{name: "folder", late: true, opens: "all", uploads: "folder"},
	} {
		outside := t.TempDir()
		for what, plant := range strangers(outside) {
			t.Run(fmt.Sprintf("%s/late=%t/%s", place.name[:min(len(place.name), 14)], place.late, what), func(t *testing.T) {
				os.RemoveAll(filepath.Join(outside, "fifo"))
				if err := errors.Join(os.WriteFile(filepath.Join(outside, "file"), []byte("canary"), 0o600),
					syscall.Mkfifo(filepath.Join(outside, "fifo"), 0o600)); err != nil {
					t.Fatal(err)
				}
				before := listing(t, outside)
				folder := t.TempDir()
				target := filepath.Join(folder, filepath.FromSlash(place.name))
				there := func() {
					t.Helper()
					if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o700), plant(t, target)); err != nil {
						t.Fatal(err)
					}
				}
				may := func(what, list string) bool { return list == "all" || list == what }
				if !place.late {
					there()
				}
				d, err := dir.Open(folder, dir.Options{})
				if (err == nil) != may(what, place.opens) {
					t.Errorf("OpenDir: %v", err)
				}
				if err == nil {
					defer d.Close()
					if place.late {
						there()
					}
					data := strings.Repeat("x", 1000)
					p, err := d.Create(t.Context(), storage.File{Name: "folder/f", ID: id, Size: int64(len(data)), Digest: storage.Digest{Name: "sha256", New: sha256.New}, Proofs: []storage.Digest{{Name: "sha256", New: sha256.New}}})
					if err == nil {
						_, err = p.ReadFrom(strings.NewReader(data))
						if err == nil {
							_, err = p.Commit(context.Background(), storage.Sum{Size: int64(len(data))})
						}
						p.Abort()
					}
					if (err == nil) != may(what, place.uploads) {
						t.Errorf("upload: %v", err)
					}
					if err := d.Err(); err != nil {
						t.Errorf("the store failed: %v", err)
					}
				}
				if diff := cmp.Diff(before, listing(t, outside)); diff != "" {
					t.Errorf("outside (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// listing tells of everything in a folder what it is, how large, and when it was
// last changed: of a folder, when something last came or went.
func listing(t *testing.T, folder string) string {
	t.Helper()
	var list bytes.Buffer
	err := filepath.Walk(folder, func(name string, fi os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s %v %d %v\n", name, fi.Mode(), fi.Size(), fi.ModTime())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}
