//go:build unix

package commands_test

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// TestNamesOverTheWire has clients that check no name: of this protocol, for
// files and folders, and of the course. Nothing comes of it outside the store,
// with the sandbox and without.
func TestNamesOverTheWire(t *testing.T) {
	for _, flags := range [][]string{nil, {"--names", "portable"}, {"--no-sandbox"}, {"--lab", "6"}, {"--on-conflict", "replace"}} {
		rules := storage.Native
		if slices.Contains(flags, "portable") {
			rules = storage.Portable
		}
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			all := t.TempDir()
			store := filepath.Join(all, "x", "store")
			if err := os.MkdirAll(store, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, canary := range []string{"canary", "x/canary", "x/store2"} {
				if err := os.WriteFile(filepath.Join(all, filepath.FromSlash(canary)), []byte("canary"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, addr := launchServe(t, store, flags...)
			before := listed(t, all, store)
			for _, name := range []string{
				"..", ".", "/", "../canary", "../../canary", "../store2", "a/../../canary", "./../canary", "a/..", "a/./b", "a//b", "a/",
				all + "/canary", "/etc/passwd", "/dev/null", "//host/share", `..\canary`, `C:\f`, `\\?\C:\f`, "NUL", "a/con.txt", "COM¹", "f.", "f ",
				".labnet/lock", ".labnet/identity.pem", ".LABNET/lock", ".labnet./lock", ".lab\u200bnet/lock", ".labnet:x", `.labnet\lock`, ".labnet", "a/.labnet/x", ".bashrc", "a\u202etxt.exe", "a\u200bb", "e\u0301", "a\nb", "\x1b[31m", "a\x7f",
				"..\u2215canary", "\uff0e\uff0e/canary", "..%2fcanary", "\xc0\xae\xc0\xae/canary", "\xff", strings.Repeat("../", 100) + "canary", strings.Repeat("n", 256),
			} {
				if flags != nil && flags[0] == "--lab" {
					conn := must(net.Dial("tcp", addr))
					io.WriteString(conn, "\x01"+name+"\x02\x06escape")
					conn.(*net.TCPConn).CloseWrite()
					io.Copy(io.Discard, conn) // until the server has done with it
					conn.Close()
					continue
				}
				c := wire.NewClient(must(net.Dial("tcp", addr)), patience)
				_, err := c.Upload(t.Context(), wire.Announcement{Name: name, Size: 6}, strings.NewReader("escape"))
				c.Close()
				c = wire.NewClient(must(net.Dial("tcp", addr)), patience)
				folder := c.MakeFolder(t.Context(), name)
				c.Close()
				if fine(rules, name) != (err == nil) || err == nil && folder == nil {
					t.Errorf("%q: as a file %v, as a folder %v", name, err, folder)
				}
			}
			if diff := gocmp.Diff(before, listed(t, all, store)); diff != "" {
				t.Errorf("around the store (-before +after):\n%s", diff)
			}
		})
	}
}

// fine reports whether a name means a file in the store. A "./" before it is not
// part of it.
func fine(rules storage.Names, name string) bool {
	return rules.Check(strings.TrimPrefix(name, "./")) == nil
}

// listed tells of everything around a store what it is, and when it last changed.
func listed(t *testing.T, all, store string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(all, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == store {
			return cmp.Or(err, fs.SkipDir)
		}
		fi, err := e.Info()
		if err == nil {
			fmt.Fprintf(&b, "%s %v %v %d\n", name, fi.Mode(), fi.ModTime(), fi.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
