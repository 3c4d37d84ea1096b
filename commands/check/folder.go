package check

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxListed is how many files of a folder are looked at.
const maxListed = 100_000

// A stamp is what shows that a file has changed.
type stamp struct {
	size int64
	time time.Time
}

// A listing has the files of a folder and below it, by their path in it.
type listing map[string]stamp

// list lists the files in dir, with those in its folders if deep.
func list(dir string, deep bool) listing {
	l := listing{}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || len(l) > maxListed {
			return fs.SkipDir
		}
		if d.IsDir() {
			if path != dir && !deep {
				return fs.SkipDir
			}
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			rel, _ := filepath.Rel(dir, path)
			l[rel] = stamp{info.Size(), info.ModTime()}
		}
		return nil
	})
	return l
}

// since returns the files of l that are new or changed since before, without those
// that are hidden, or in a hidden folder, unless hidden.
func (l listing) since(before listing, hidden bool) (names []string) {
	for name, s := range l {
		if old, known := before[name]; known && old == s {
			continue
		}
		if !hidden && isHidden(name) {
			continue
		}
		names = append(names, name)
	}
	return names
}

func isHidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.Contains(filepath.ToSlash(name), "/.")
}

// A likeness says how the contents of a file are like those that were sent.
type likeness struct {
	same bool
	saw  string // how they differ
	why  string // what that shows, or ""
}

// compare compares what is in a file with what was sent.
func compare(got, sent []byte) likeness {
	n := len(got)
	switch front := n - len(sent); {
	case bytes.Equal(got, sent):
		return likeness{same: true}
	case len(sent) > 0 && front > 0 && front <= 16 && bytes.HasSuffix(got, sent):
		return likeness{saw: fmt.Sprintf("%s in front of the contents (% x)", counted(front), got[:front]),
			why: "the type or the size was saved as contents: read them before the contents"}
	case n > 0 && front < 0 && front >= -16 && bytes.HasSuffix(sent, got):
		return likeness{saw: fmt.Sprintf("the first %d bytes are missing", -front),
			why: fmt.Sprintf("%d bytes too many were read as the size: a size has as many bytes as the type says", -front)}
	case n > 0 && front < 0 && bytes.HasPrefix(sent, got):
		return likeness{saw: fmt.Sprintf("the first %s of %s bytes", group(n), group(len(sent)))}
	case front > 0 && bytes.HasPrefix(got, sent):
		return likeness{saw: counted(front) + " more than were sent as contents"}
	case n == 0:
		return likeness{saw: "nothing in it"}
	}
	at := 0
	for at < min(n, len(sent)) && got[at] == sent[at] {
		at++
	}
	return likeness{saw: fmt.Sprintf("%s, the first difference at byte %s", counted(n), group(at))}
}

// readFile reads a file that may be large by mistake.
func readFile(path string) []byte {
	if info, err := os.Stat(path); err != nil || info.Size() > 256<<20 {
		return nil
	}
	b, _ := os.ReadFile(path)
	return b
}
