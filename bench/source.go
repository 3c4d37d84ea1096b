package main

import (
	stdbytes "bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// makeSource writes what a workload sends below dir, unless another workload
// did already, and returns its path; empty if there is nothing to send.
func makeSource(dir string, w workload) (string, error) {
	var path string
	var write func(path string) error
	switch w.kind {
	case file, fileAgain:
		path = fmt.Sprintf("file-%d", w.size)
		write = func(path string) error { return writeRandom(path, w.size, 0) }
	case folder, each, folderAgain, folderQuick:
		pieces := append([]piece{{w.count, w.size}}, w.more...)
		path = "folder"
		for _, p := range pieces {
			path += fmt.Sprintf("-%d-%d", p.count, p.size)
		}
		write = func(path string) error { return writeFolder(path, pieces) }
	case fileGrown:
		path = fmt.Sprintf("grown-%d-%d", w.size, w.tail)
		write = func(path string) error { return writeGrown(path, w.size, w.tail) }
	case lines:
		path = fmt.Sprintf("lines-%d", w.count)
		write = func(path string) error {
			var text strings.Builder
			for i := range w.count {
				fmt.Fprintf(&text, "message %d\n", i)
			}
			return os.WriteFile(path, []byte(text.String()), 0o644)
		}
	default:
		return "", nil
	}
	path = filepath.Join(dir, path)
	if _, err := os.Stat(path); err != nil {
		if err := write(path); err != nil {
			return "", err
		}
	}
	if w.kind == fileGrown {
		path = filepath.Join(path, "after", grownName)
	}
	return path, nil
}

// writeFolder writes files, whose names are unique.
func writeFolder(path string, pieces []piece) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	for i, p := range pieces {
		for n := range p.count {
			name := fmt.Sprintf("%c%05d", 'f'+i, n)
			if err := writeRandom(filepath.Join(path, name), p.size, i<<16+n); err != nil {
				return err
			}
		}
	}
	return nil
}

const grownName = "log"

// writeGrown writes a file before and after it has grown by some bytes.
func writeGrown(path string, size, tail int64) error {
	for _, step := range []struct {
		folder string
		size   int64
	}{{"before", size}, {"after", size + tail}} {
		folder := filepath.Join(path, step.folder)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := writeRandom(filepath.Join(folder, grownName), step.size, 0); err != nil {
			return err
		}
	}
	return nil
}

// sourceBefore is what the first of two runs sends of a source.
func sourceBefore(source string, w workload) string {
	if w.kind == fileGrown {
		return filepath.Join(filepath.Dir(filepath.Dir(source)), "before", grownName)
	}
	return source
}

// writeRandom writes a file that does not compress.
func writeRandom(path string, size int64, seed int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(source, size), make([]byte, min(size, mib)+1))
	return errors.Join(err, f.Close())
}

// sourceFiles lists the files of a source.
func sourceFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	return filepath.Glob(filepath.Join(path, "*"))
}

// warm reads files, so that they are in the page cache.
func warm(files []string) error {
	buffer := make([]byte, mib)
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, buffer)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// received finds the files below a folder by their names, which are unique. What
// is hidden is not received yet.
func received(dir string) (map[string]string, error) {
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == dir:
		case d.Name()[0] == '.' && d.IsDir():
			return fs.SkipDir
		case d.Type().IsRegular():
			if found[d.Name()] != "" {
				return fmt.Errorf("%s is there twice", d.Name())
			}
			found[d.Name()] = path
		}
		return nil
	})
	return found, err
}

// compare reports the first difference between files and what dir received.
func compare(files []string, dir string) error {
	found, err := received(dir)
	if err != nil {
		return err
	}
	if len(found) != len(files) {
		return fmt.Errorf("%d files came, not %d", len(found), len(files))
	}
	for _, name := range files {
		path, ok := found[filepath.Base(name)]
		if !ok {
			return fmt.Errorf("%s did not come", filepath.Base(name))
		}
		if err := same(name, path); err != nil {
			return err
		}
	}
	return nil
}

// same compares two files byte for byte.
func same(one, two string) error {
	a, err := os.Open(one)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := os.Open(two)
	if err != nil {
		return err
	}
	defer b.Close()
	one, two = filepath.Base(one), filepath.Base(two)
	left, right := compareBuffers[0], compareBuffers[1]
	for {
		n, errA := io.ReadFull(a, left)
		m, errB := io.ReadFull(b, right)
		if n != m || !stdbytes.Equal(left[:n], right[:m]) {
			return fmt.Errorf("%s is not what was sent as %s", two, one)
		}
		if errA != nil || errB != nil { // the end, of both
			if (errA == io.EOF || errA == io.ErrUnexpectedEOF) && errA == errB {
				return nil
			}
			return errors.Join(errA, errB)
		}
	}
}

var compareBuffers = [2][]byte{make([]byte, mib), make([]byte, mib)}
