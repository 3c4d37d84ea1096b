package uploader

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// TestVanishing: what vanishes from a folder while that is read is an error of its
// own, and all the rest is found.
func TestVanishing(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"tree/a", "tree/b/x", "tree/c", "tree/d", "tree/e/y", "tree/f"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, []byte("this is "+name), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("tree/d", make([]byte, 2*MaxReadAhead), 0o666); err != nil {
		t.Fatal(err)
	}
	u := &Uploader{Con: terminal.New(os.Stdin, os.Stdout, os.Stderr), Options: Options{Digest: wire.Digests()[0]}}
	got := map[string]bool{} // whether it is there
	for it := range u.Items([]string{"tree"}) {
		switch filepath.ToSlash(it.file) {
		case "tree/a":
			if err := errors.Join(os.RemoveAll("tree/b"), os.Remove("tree/c")); err != nil {
				t.Fatal(err)
			}
		case "tree/e/y":
			u.prepare(it)
			if err := os.RemoveAll("tree/e"); err != nil { // y was read, and the folder is being read
				t.Fatal(err)
			}
		}
		if it.contents == nil {
			u.prepare(it)
		}
		err := it.err
		if filepath.ToSlash(it.file) == "tree/d" { // vanishes once it was announced
			if err := os.Remove(it.file); err != nil {
				t.Fatal(err)
			}
			r := it.source()
			_, err = io.ReadAll(r)
			r.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", it.file, err)
		}
		got[filepath.ToSlash(it.file)] = err == nil
	}
	want := map[string]bool{"tree/a": true, "tree/b": false, "tree/c": false, "tree/d": false, "tree/e/y": true, "tree/f": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
