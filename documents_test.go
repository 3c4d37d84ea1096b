package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// link finds where the links and pictures of a document lead to.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks: what the documents link to is there, in the repository and in what the
// packages have of it.
func TestLinks(t *testing.T) {
	t.Run("repository", func(t *testing.T) { checkLinks(t, os.DirFS(".")) })
	t.Run("packages", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("packages are not made on Windows")
		}
		to := t.TempDir()
		if out, err := exec.Command("packaging/docs.sh", to).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		checkLinks(t, os.DirFS(to))
	})
}

func checkLinks(t *testing.T, documents fs.FS) {
	t.Helper()
	checked := 0
	err := fs.WalkDir(documents, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".md" {
			return err
		}
		text, err := fs.ReadFile(documents, name)
		for _, found := range link.FindAllSubmatch(text, -1) {
			to, _, _ := strings.Cut(string(found[1]), "#")
			if to == "" || strings.Contains(to, "://") {
				continue
			}
			checked++
			if _, err := fs.Stat(documents, path.Join(path.Dir(name), to)); err != nil {
				t.Errorf("%s links to %s: %v", name, to, err)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 10 {
		t.Errorf("only %d links were found", checked)
	}
}

// TestIgnoredByContainers: nothing that people make in the repository's folder, as the
// documents tell them, gets into an image.
func TestIgnoredByContainers(t *testing.T) {
	ignored, err := os.ReadFile(".dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/received", "/access", "/secrets", "/buckets", "/.env", "/dist", "/labnet"} {
		if !strings.Contains(string(ignored), "\n"+name+"\n") {
			t.Errorf("%s gets into images", name)
		}
	}
}
