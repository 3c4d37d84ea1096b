package commands_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode"

	gocmp "github.com/google/go-cmp/cmp"
)

// treeOf tells of everything in a folder what it is and what it holds, by name,
// as diff -r would compare it. What is neither a file nor a folder is left out.
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		inside, err := filepath.Rel(dir, name)
		switch {
		case err != nil:
			return err
		case e.IsDir():
			tree[inside] = "folder"
		case e.Type().IsRegular():
			tree[inside] = "file " + string(readFile(t, name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// makeTree makes a tree: names that end in a slash are folders, and a file's
// contents are its name.
func makeTree(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		file := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			must(0, os.MkdirAll(file, 0o777))
			continue
		}
		must(0, os.MkdirAll(filepath.Dir(file), 0o777))
		must(0, os.WriteFile(file, []byte(name), 0o666))
	}
}

// everyScript makes names of letters of every script that Unicode has, of its marks
// and symbols, and of emoji sequences.
func everyScript() (names []string) {
	for _, script := range slices.Sorted(maps.Keys(unicode.Scripts)) {
		table := unicode.Scripts[script]
		var b strings.Builder
		add := func(lo, hi, stride rune) {
			for r := lo; r <= hi && b.Len() < 150; r += stride {
				if !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) && !unicode.In(r, unicode.Zl, unicode.Zp) && r != '/' {
					b.WriteRune(r)
				}
			}
		}
		for _, r := range table.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range table.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		names = append(names, "scripts/"+script+"/"+b.String()+".txt")
	}
	for _, emoji := range []string{
		"👩\u200d🚀", "👨\u200d👩\u200d👧\u200d👦", "❤\ufe0f", "❤\ufe0e", "1\ufe0f\u20e3", "👋🏽", "🇩🇪", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🏳\ufe0f\u200d🌈",
		"می\u200cخواهم", "क\u094d\u200dष", "soft\u00adhyphen", "\ufeffbom", "e\u0301", "\u00e9", "\u212b", "\u00c5", "\u1100\u1161", "\uac00", "ﬁ", "\u3164", "a\u200bb", "ab",
	} {
		names = append(names, "emoji/"+emoji, "emoji/folder "+emoji+"/"+emoji+".png")
	}
	return names
}

// TestRealTrees: trees as people have them arrive whole, and nothing is in the
// store that they do not hold.
func TestRealTrees(t *testing.T) {
	trees := map[string][]string{
		"home": {
			".bashrc", ".bash_history", ".ssh/id_ed25519", ".ssh/known_hosts", ".config/app/settings.json", ".cache/", ".local/share/Trash/files/", ".local/share/Trash/info/",
			".mozilla/firefox/x.default/lock.sqlite", "notes.txt~", "#notes.txt#", ".#lock", "~$letter.docx", "Copy of a (2).pdf", " leading", "trailing ", "...", "..rc", "-rf", "--help", "a\\b", "C:x", "q?", "st*r", `"quoted"`, "it's", "a|b", "<x>", "LABNET~1/f", "labnet/.labnet/lock", ".labnet/lock",
			strings.Repeat("n", 255), "empty folder/", "deep/" + strings.Repeat("d/", 80) + "f",
		},
		"linux": {
			"drivers/gpu/drm/nouveau/nvkm/subdev/i2c/aux.c", "drivers/gpu/drm/nouveau/nvkm/subdev/i2c/aux.h", "include/soc/arc/aux.h", "tools/con", "nul", "com1.c", "prn.txt",
			"include/uapi/linux/netfilter/xt_CONNMARK.h", "include/uapi/linux/netfilter/xt_connmark.h", "net/netfilter/xt_DSCP.c", "net/netfilter/xt_dscp.c",
			".clang-format", ".gitattributes", ".get_maintainer.ignore", "arch/.gitignore", "Documentation/ends in dot.", "tools/testing/selftests/x/Z6.0+pooncelock+poonceLock+pombonce.litmus",
		},
		"mac": {
			".DS_Store", "photos/.DS_Store", "photos/._IMG_1.jpg", ".localized", ".Trashes/", ".Spotlight-V100/", ".fseventsd/", "Re\u0301sume\u0301.pdf", "a:b", "Word ⁄ Excel", "App.app/Contents/_CodeSignature/CodeResources",
		},
		"scripts": everyScript(),
	}
	for what, names := range trees {
		t.Run(what, func(t *testing.T) { treeArrives(t, func(dir string) { makeTree(t, dir, names...) }) })
	}
	t.Run("git", func(t *testing.T) {
		git, err := exec.LookPath("git")
		if err != nil {
			t.Skip("there is no git")
		}
		treeArrives(t, func(dir string) {
			makeTree(t, dir, ".gitignore", ".github/workflows/ci.yml", ".env", "src/aux.c", "docs/Übersicht.md")
			for _, args := range []string{"init -q", "add -A", "commit -q -m first", "checkout -q -b side", "commit -q --allow-empty -m second", "tag v1", "gc -q"} {
				cmd := exec.Command(git, append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.org"}, strings.Fields(args)...)...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("git %s: %v\n%s", args, err, out)
				}
			}
		})
	})
}

// treeArrives uploads a tree, twice, and compares what was kept.
func treeArrives(t *testing.T, fill func(dir string)) {
	for _, flags := range [][]string{nil, {"--on-conflict", "replace"}} {
		store := filepath.Join(t.TempDir(), "store")
		addr, _ := startServe(t, append([]string{"--store", store}, flags...)...)
		cmd := labnetCommand(t, "upload", "-a", addr, "--json", "tree")
		dir := filepath.Join(cmd.Dir, "tree")
		must(0, os.Mkdir(dir, 0o777))
		fill(dir)
		want := treeOf(t, dir)
		run(t, cmd)
		if diff := gocmp.Diff(want, treeOf(t, filepath.Join(store, "tree"))); diff != "" {
			t.Errorf("%v: the tree (-want +got):\n%.4000s", flags, diff)
		}
		again := labnetCommand(t, "upload", "-a", addr, "tree")
		again.Dir = cmd.Dir
		run(t, again)
		if diff := gocmp.Diff(map[string]string{".labnet": "folder", "tree": "folder"}, topOf(treeOf(t, store))); diff != "" {
			t.Errorf("%v: the store (-want +got):\n%s", flags, diff)
		}
		if diff := gocmp.Diff(want, treeOf(t, filepath.Join(store, "tree"))); diff != "" {
			t.Errorf("%v: the tree, sent twice (-want +got):\n%.4000s", flags, diff)
		}
	}
}

// topOf is what there is at the top of a tree.
func topOf(tree map[string]string) map[string]string {
	top := maps.Clone(tree)
	maps.DeleteFunc(top, func(name, _ string) bool { return strings.Contains(name, "/") })
	return top
}

// TestTreeOfOddThings: what cannot be sent is named and counted, and all the rest
// arrives.
func TestTreeOfOddThings(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	addr, _ := startServe(t, "--store", store)
	cmd := labnetCommand(t, "upload", "-a", addr, "tree")
	dir := filepath.Join(cmd.Dir, "tree")
	makeTree(t, dir, "a", "z/b", "odd/Icon\r", "odd/latin\xe9", "odd/two\nlines", "bad\xff/f", "odd/fine", strings.Repeat("d/", 120)+"deep")
	must(0, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o666))
	must(0, syscall.Mknod(filepath.Join(dir, "socket"), syscall.S_IFSOCK|0o666, 0))
	must(0, os.Symlink("a", filepath.Join(dir, "link")))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit code %d, %v", cmd.ProcessState.ExitCode(), err)
	}
	for _, want := range []string{
		`"tree/odd/Icon\r": a Mac's folder icon, skipped`,
		`tree/pipe: neither a file nor a folder, skipped`,
		`tree/socket: neither a file nor a folder, skipped`,
		`tree/link: symbolic link, skipped`,
		`"tree/odd/latin\xe9": its name cannot be sent: "tree/odd/latin\xe9" is not valid UTF-8`,
		`"tree/bad\xff/f": its name cannot be sent`,
		`"tree/odd/two\nlines": name "tree/odd/two\nlines": it contains U+000A, a control character`,
		`it has more than 100 parts`,
		fmt.Sprintf("%d of %d ", 4, 7),
	} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr lacks %q:\n%s", want, &stderr)
		}
	}
	want := map[string]string{"a": "file a", "z": "folder", "z/b": "file z/b", "odd": "folder", "odd/fine": "file odd/fine"}
	if diff := gocmp.Diff(want, treeOf(t, filepath.Join(store, "tree"))); diff != "" {
		t.Errorf("the tree (-want +got):\n%s", diff)
	}
}
