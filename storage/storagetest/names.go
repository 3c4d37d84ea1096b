package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/labnet/labnet/storage"
)

func folders(f *fixture) {
	f.keep("a/b/c/file", "one")
	f.keep("a/b/file", "two")
	f.keep("a/b/c/other", "three")
	f.expect(map[string]string{
		"a/": "", "a/b/": "", "a/b/c/": "",
		"a/b/c/file": "one", "a/b/file": "two", "a/b/c/other": "three",
	})
}

func collisions(f *fixture) {
	f.keep("a/b", "file")
	for _, name := range []string{"a", "a/b/c", "a/b/c/d"} {
		_, err := f.Create(context.Background(), storage.File{Name: name, Size: -1})
		var bad *storage.NameError
		if !errors.As(err, &bad) {
			f.Errorf("Create(%q): error %v, want a NameError", name, err)
		}
	}
	// The same, but found out only at the end.
	file, below := f.begin("x", 0), f.begin("x/y", 0)
	if _, err := file.Commit(context.Background(), sumOf("")); err != nil {
		f.Fatal(err)
	}
	var bad *storage.NameError
	if _, err := below.Commit(context.Background(), sumOf("")); !errors.As(err, &bad) {
		f.Errorf("Commit below a file: error %v, want a NameError", err)
	}
	folder, in := f.begin("z", 0), f.begin("z/y", 0)
	if _, err := in.Commit(context.Background(), sumOf("")); err != nil {
		f.Fatal(err)
	}
	if _, err := folder.Commit(context.Background(), sumOf("")); !errors.As(err, &bad) {
		f.Errorf("Commit over a folder: error %v, want a NameError", err)
	}
	f.expect(map[string]string{"a/": "", "a/b": "file", "x": "", "z/": "", "z/y": ""})
	f.expectError("Err", f.Err(), nil)
}

func renames(f *fixture) {
	for i, step := range []struct {
		data, name string
		unchanged  bool
	}{
		{"one", "a/report.pdf", false},
		{"one", "a/report.pdf", true},
		{"two", "a/report (2).pdf", false},
		{"three", "a/report (3).pdf", false},
		{"two", "a/report (2).pdf", true},
		{"one", "a/report.pdf", true},
	} {
		r := f.keep("a/report.pdf", step.data)
		if r.Name != step.name || r.Unchanged != step.unchanged {
			f.Errorf("step %d: %q, unchanged %v; want %q, %v", i, r.Name, r.Unchanged, step.name, step.unchanged)
		}
	}
	f.expect(map[string]string{
		"a/": "", "a/report.pdf": "one", "a/report (2).pdf": "two", "a/report (3).pdf": "three",
	})
}

func replaces(f *fixture) {
	f.keep("a", "one")
	if r := f.keep("a", "one"); !r.Unchanged {
		f.Error("the same contents again are not Unchanged")
	}
	if r := f.keep("a", "three"); r.Unchanged || r.Name != "a" {
		f.Errorf("receipt %+v", r)
	}
	f.expect(map[string]string{"a": "three"})

	// What the same sender has just sent is not replaced, by a large file either.
	large := strings.Repeat("5", 6<<20)
	for _, step := range []struct {
		name, contents string
		replace        storage.Replacement
		kept           string
		unchanged      bool
	}{
		{"a", "four", storage.ReplaceNone, "a (2)", false},
		{"a", "four", storage.ReplaceNone, "a (2)", true},
		{"a", "three", storage.ReplaceNone, "a", true},
		{"a", large, storage.ReplaceNone, "a (3)", false},
		{"new", "eight", storage.ReplaceNone, "new", false},
	} {
		p, err := f.Create(context.Background(), storage.File{
			Name: step.name, Size: int64(len(step.contents)), Digest: Digest, Replace: step.replace})
		if err != nil {
			f.Fatal(err)
		}
		if _, err := p.ReadFrom(strings.NewReader(step.contents)); err != nil {
			f.Fatal(err)
		}
		if r, err := p.Commit(context.Background(), sumOf(step.contents)); err != nil || r.Name != step.kept || r.Unchanged != step.unchanged {
			f.Errorf("%q as %q, unchanged %t: %v; want %q, %t", step.name, r.Name, r.Unchanged, err, step.kept, step.unchanged)
		}
	}
	f.expect(map[string]string{"a": "three", "a (2)": "four", "a (3)": large, "new": "eight"})
}

func refuses(f *fixture) {
	same, other := f.begin("a", -1), f.begin("a", -1)
	f.keep("a", "")
	_, err := f.Create(context.Background(), storage.File{Name: "a", Size: 5, Replace: storage.ReplaceNone})
	f.expectError("Create of what replaces nothing", err, storage.ErrExists)
	_, err = f.Create(context.Background(), storage.File{Name: "a", Size: 5})
	f.expectError("Create", err, storage.ErrExists)
	if r, err := f.put("a", ""); err != nil || !r.Unchanged {
		f.Errorf("the same of known size = %+v, %v; want it unchanged", r, err)
	}
	if r, err := same.Commit(context.Background(), sumOf("")); err != nil || !r.Unchanged {
		f.Errorf("Commit of the same = %+v, %v; want it unchanged", r, err)
	}
	if _, err := other.ReadFrom(strings.NewReader("other")); err != nil {
		f.Fatal(err)
	}
	_, err = other.Commit(context.Background(), sumOf("other"))
	f.expectError("Commit", err, storage.ErrExists)
	f.expect(map[string]string{"a": ""})
}

// together calls store n times at once and reports what goes wrong.
func (f *fixture) together(n int, store func(i int) error) {
	f.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := store(i); err != nil {
				f.Error(err)
			}
		})
	}
	all.Wait()
}

func manyAtOnce(f *fixture) {
	const n = 16
	want := map[string]string{}
	for i := range n {
		want[storage.NumberedName("a", i+1)] = ""
	}
	data := func(i int) string { return pattern(100_000+i, byte(i)) }
	names := make([]string, n)
	f.together(n, func(i int) error {
		r, err := f.put("a", data(i))
		names[i] = r.Name
		return err
	})
	for i, name := range names {
		want[name] = data(i)
	}
	if len(want) != n {
		f.Errorf("names %v", names)
	}
	f.expect(want)
}

func sameAtOnce(f *fixture) {
	data := pattern(100_000, 0)
	var mu sync.Mutex
	fresh := 0
	f.together(16, func(int) error {
		r, err := f.put("a", data)
		mu.Lock()
		defer mu.Unlock()
		if !r.Unchanged {
			fresh++
		}
		return err
	})
	if fresh != 1 {
		f.Errorf("%d of 16 receipts say that the file is new", fresh)
	}
	f.expect(map[string]string{"a": data})
}

func foldersAtOnce(f *fixture) {
	want := map[string]string{"a/": "", "a/b/": "", "a/b/c/": ""}
	for i := range 16 {
		want[fmt.Sprintf("a/b/c/%d", i)] = "contents"
	}
	f.together(16, func(i int) error {
		_, err := f.put(fmt.Sprintf("a/b/c/%d", i), "contents")
		return err
	})
	f.expect(want)
}

func closes(f *fixture) {
	f.keep("a", "kept")
	p := f.begin("b", 5)
	if _, err := p.ReadFrom(strings.NewReader("hello")); err != nil {
		f.Fatal(err)
	}
	f.expectError("Close", f.Close(), nil)
	if _, err := p.Commit(context.Background(), sumOf("hello")); err == nil {
		f.Error("Commit succeeded in a closed store")
	}
	f.expectError("Abort", p.Abort(), nil)
	if _, err := f.put("c", "late"); err == nil {
		f.Error("Create succeeded in a closed store")
	}
	f.expectError("Err", f.Err(), nil)
	f.expect(map[string]string{"a": "kept"})
}

func makesFolders(f *fixture) {
	folder := func(name string) error { return f.MakeFolder(context.Background(), name, nil) }
	f.expectError("MakeFolder", folder("empty"), nil)
	f.expectError("MakeFolder", folder("a/b/c"), nil)
	f.expectError("MakeFolder of what is there", errors.Join(folder("a/b"), folder("a/b/c"), folder("empty")), nil)
	want := map[string]string{"empty/": "", "a/": "", "a/b/": "", "a/b/c/": ""}
	f.expect(want)
	f.keep("a/b/file", "one")
	f.expectError("MakeFolder above a file", folder("a/b"), nil)
	want["a/b/file"] = "one"

	var bad *storage.NameError
	for _, name := range []string{"", "..", "/x", "x/", "x//y", ".labnet", ".LABNET/x", "a\nb", "a/b/file", "a/b/file/x", "a/b/file/x/y"} {
		if err := folder(name); !errors.As(err, &bad) {
			f.Errorf("MakeFolder(%q): error %v, want a NameError", name, err)
		}
	}
	if _, err := f.put("empty", "file"); !errors.As(err, &bad) {
		f.Errorf("file in place of a folder: error %v, want a NameError", err)
	}
	f.expect(want)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.expectError("MakeFolder", f.MakeFolder(ctx, "late", nil), context.Canceled)
	f.expectError("Close", f.Close(), nil)
	if err := folder("late"); err == nil {
		f.Error("MakeFolder succeeded in a closed store")
	}
	f.expect(want)
	f.expectError("Err", f.Err(), nil)
}

// foldersAndFilesAtOnce makes folders while files come and fail in them.
func foldersAndFilesAtOnce(f *fixture) {
	want := map[string]string{"a/": "", "a/b/": "", "a/b/c/": ""}
	f.together(16, func(i int) error {
		if i%2 == 0 {
			return f.MakeFolder(context.Background(), "a/b/c", nil)
		}
		p, err := f.Create(context.Background(), storage.File{Name: "a/b/c/d", Size: 0})
		if err != nil {
			return err
		}
		if _, err := p.Commit(context.Background(), storage.Sum{Size: 1}); !errors.Is(err, storage.ErrMismatch) {
			return fmt.Errorf("Commit: %w", err)
		}
		return nil
	})
	f.expect(want)
}
