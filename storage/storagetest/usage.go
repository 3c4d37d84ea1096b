package storagetest

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/labnet/labnet/storage"
)

// inAFolder keeps files in a folder whose sender does not know of it.
func inAFolder(f *fixture) {
	keep := func(name string) (string, error) {
		p, err := f.Create(context.Background(), storage.File{Name: name, Folder: "a/b", Size: -1})
		if err != nil {
			return "", err
		}
		f.send(p, "x")
		r, err := p.Commit(context.Background(), storage.Sum{Size: 1})
		return r.Name, err
	}
	for name, want := range map[string]string{"f": "a/b/f", "c/f": "a/b/c/f"} {
		if got, err := keep(name); got != want || err != nil {
			f.Errorf("%q is kept as %q, %v; want %q", name, got, err, want)
		}
	}
	random, err := keep("")
	if !regexp.MustCompile(`^a/b/[a-z0-9]{8}\.bin$`).MatchString(random) || err != nil {
		f.Errorf("a file without a name is kept as %q, %v", random, err)
	}
	for _, name := range []string{"..", "../f", "/f", "c/../../f", "c//f", strings.Repeat("c/", 2000) + "f"} {
		var bad *storage.NameError
		if _, err := keep(name); !errors.As(err, &bad) {
			f.Errorf("%.20q: error %v, want a NameError", name, err)
		}
	}
	f.expect(map[string]string{"a/": "", "a/b/": "", "a/b/c/": "", "a/b/f": "x", "a/b/c/f": "x", random: "x"})
}

// usage counts what is in a folder, if the store can.
func usage(f *fixture) {
	m, ok := f.Store.(storage.Meter)
	if !ok {
		f.Skip("the store is no storage.Meter")
	}
	want := func(folder string, bytes, files, folders int64) {
		f.Helper()
		got, err := m.Usage(context.Background(), folder)
		if got.Bytes != bytes || got.Files < files || got.Files > files+folders || err != nil {
			f.Errorf("Usage(%q) = %+v, %v; want %d bytes in %d files, and %d folders if it has any", folder, got, err, bytes, files, folders)
		}
	}
	want("a", 0, 0, 0)
	f.keep("a/one", strings.Repeat("x", 1000))
	f.keep("a/b/two", strings.Repeat("x", 20))
	f.keep("ab/three", "xxx")
	f.keep("four", "xxxx")
	p := f.begin("a/five", 5)
	f.send(p, "xxxxx")
	want("a", 1020, 2, 1)
	want("a/b", 20, 1, 0)
	f.finish(p, "xxxxx")
	want("a", 1025, 3, 1)
	for _, folder := range []string{"", "..", ".labnet", "/a", "a/"} {
		if _, err := m.Usage(context.Background(), folder); err == nil {
			f.Errorf("Usage(%q) has no error", folder)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := m.Usage(ctx, "a")
	f.expectError("Usage", err, context.Canceled)
}
