package dir_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
)

var names = flag.Int("names", 3000, "how many names TestNamesStayInside makes up; a million on a tmpfs takes some minutes")

// nasty are names that have led programs astray, and parts of such.
func nasty(outside string) []string {
	return []string{
		// another place
		"..", ".", "", "/", "//", "~", "~root", "../canary", "../../canary", "a/../../canary", "./../canary", "a/..", "../store", "../store2/f",
		outside + "/canary", "/etc/passwd", "/proc/self/cwd/f", "/dev/null", "//host/share", "file:///etc/passwd", "...", "....", "a/.../b",
		// Windows
		`..\canary`, `..\..\canary`, `a\..\..\canary`, `C:\f`, `C:f`, `C:/f`, `\\host\share\f`, `\\?\C:\f`, `\\.\NUL`, `\f`, "NUL", "con", "Aux.txt",
		"COM1", "lpt9.log", "COM¹", "CONIN$", "f:stream", "f::$DATA", "f ", "f.", "f...", "PROGRA~1", "nul .txt", "a/CON/b", "?", "*", "<", "|", `"`,
		// the store's own
		".labnet", ".labnet/lock", ".labnet/identity.pem", "a/.labnet/lock", ".LABNET/lock", ".labnet./lock", ".labnet /lock", ".lab\u200bnet/lock", ".git/config", ".bashrc",
		".labnet::$INDEX_ALLOCATION/lock", `.labnet\lock`, "LABNET~1/lock", "./.labnet/lock", "a/../.labnet/lock", ".labnet (2)", ".labnet2/f", ".ｌabnet/lock", "․labnet/lock", ".LabNet",
		".env", "aux.c", "ends in dot.", "trailing space ", "👩\u200d🚀", "Icon\r",
		// slashes and dots that are none, or not yet
		"\u2024\u2024/canary", "\uff0e\uff0e/canary", "..\u2215canary", "..\u2044canary", "..\uff0fcanary", "..\\u002fcanary", "..%2fcanary", "%2e%2e/canary", "%252e%252e%252fcanary",
		"\xc0\xae\xc0\xae/canary", "..\xc0\xafcanary", "..\xe0\x80\xafcanary", "..\x00/canary", "../canary\x00.txt", ".\x00./canary", ".\u200d./canary", ".\ufeff./canary", ".\u00ad./canary", "．．/canary",
		// what does not show, or shows elsewhere
		"a\u202etxt.exe", "\u2066a\u2069", "a\u200fb", "a\u061cb", "a\u200bb", "\ufeffa", "a\u2028b", "a\u00adb", "\u115f", "\u3164", "a\ufe0f", "a\U000e0001", "\u00a0", "\u3000a", "a\u3000", "\u180e",
		"e\u0301", "\u00e9", "\u212b", "\u1100\u1161", "\ufb01", "\u0345", "\u0300a", "\u01c5", "ﷺ", "\ud7ff", "\ue000", "\uffff", "\U0010ffff", "\xed\xa0\x80", "\xff", "\xfe\xff", "\xc3", "a\xc3",
		"\x1b[31m", "a\nb", "a\rb", "a\tb", "\x7f", "\u0085", "\a", "\x00",
		// long
		strings.Repeat("n", 255), strings.Repeat("n", 256), strings.Repeat("\u00e9", 127), strings.Repeat("\u00e9", 128), strings.Repeat("a/", 30) + "f", strings.Repeat("../", 300) + "canary",
		// fine
		"a", "b", "a/b", "a/b/c", "report.pdf", "-rf", "--", "$HOME", "`id`", "'", "日本語", "🎉", " a", "a b", "A", "x.tar.gz", "0",
	}
}

// madeUp makes a name of some nasty ones, and spoils it now and then.
func madeUp(r *rand.Rand, parts []string) string {
	var b strings.Builder
	for range 1 + r.IntN(4) {
		b.WriteString(parts[r.IntN(len(parts))])
		b.WriteString([]string{"", "/", "/", "/", `\`, ".", " ", "//", "/./", "/../"}[r.IntN(10)])
	}
	name := b.String()
	if r.IntN(2) == 0 {
		name = strings.TrimRight(name, `/\. `)
	}
	if len(name) > 0 && r.IntN(4) == 0 {
		at := r.IntN(len(name))
		switch r.IntN(4) {
		case 0:
			name = name[:at] + string(rune(r.IntN(0x3000))) + name[at:]
		case 1:
			name = name[:at] + string([]byte{byte(r.IntN(256))}) + name[at+1:]
		case 2:
			name = name[:at] + name[at+1:]
		case 3:
			name = name[:at] + name
		}
	}
	return name
}

// TestNamesStayInside: whatever a file or folder is called, nothing comes of it
// but itself, inside the store and outside the hidden folder, or nothing at all.
func TestNamesStayInside(t *testing.T) {
	for _, rules := range []storage.Names{storage.Native, storage.Portable} {
		t.Run(rules.String(), func(t *testing.T) { testNamesStayInside(t, rules) })
	}
}

func testNamesStayInside(t *testing.T, rules storage.Names) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed ", seed)
	r := rand.New(rand.NewPCG(1, seed))
	all := t.TempDir()
	parts := nasty(all)
	queue := slices.Clone(parts)
	accepted := 0
	for made := 0; made < *names; {
		store := filepath.Join(all, "x", "store")
		if err := os.RemoveAll(filepath.Join(all, "x")); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(store, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, canary := range []string{"canary", "x/canary", "x/store2"} {
			if err := os.WriteFile(filepath.Join(all, filepath.FromSlash(canary)), []byte("canary"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d, err := dir.Open(store, dir.Options{Names: rules})
		if err != nil {
			t.Fatal(err)
		}
		d.NeverBatch()
		before := around(t, all, store)
		want := map[string]bool{}
		for range min(10_000, *names-made) {
			made++
			name := madeUp(r, parts)
			if len(queue) > 0 {
				name, queue = queue[0], queue[1:]
			}
			kept, err := keepAs(d, name, r.IntN(8) == 0)
			if err != nil || kept == "" {
				continue
			}
			accepted++
			if fine := rules.Check(kept); fine != nil || !filepath.IsLocal(filepath.FromSlash(kept)) {
				t.Errorf("%q is kept as %q: %v", name, kept, fine)
			}
			for ; kept != "."; kept = filepath.ToSlash(filepath.Dir(kept)) {
				want[kept] = true
			}
		}
		if diff := cmp.Diff(want, inside(t, store)); diff != "" {
			t.Errorf("inside (-want +got):\n%.2000s", diff)
		}
		if diff := cmp.Diff(before, around(t, all, store)); diff != "" {
			t.Errorf("around the store (-before +after):\n%s", diff)
		}
		if err := d.Err(); err != nil {
			t.Errorf("the store failed: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d of %d names accepted", accepted, *names)
	if accepted == 0 || accepted == *names {
		t.Error("the names are of one kind only")
	}
}

// keepAs makes a file or a folder of that name, and returns the name it has got.
func keepAs(d *dir.Store, name string, folder bool) (string, error) {
	if folder {
		return name, d.MakeFolder(context.Background(), name, nil)
	}
	if name == "" {
		return "", nil // asks for a random one
	}
	r, err := put(d, name, name)
	return r.Name, err
}

// inside lists what is visible in a store.
func inside(t *testing.T, store string) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	err := filepath.WalkDir(store, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || name == store:
			return err
		case e.Name() == ".labnet" && filepath.Dir(name) == store:
			return fs.SkipDir
		}
		name, err = filepath.Rel(store, name)
		seen[filepath.ToSlash(name)] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// around tells of everything around a store, and of its hidden folder, what it is
// and when it last changed: of a folder, when something last came or went.
func around(t *testing.T, all, store string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(all, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == store {
			entries, err := os.ReadDir(filepath.Join(store, ".labnet"))
			if fmt.Fprintln(&b, entries); err == nil {
				err = fs.SkipDir
			}
			return err
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
