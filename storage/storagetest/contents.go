package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/labnet/labnet/storage"
)

func hostileNames(f *fixture) {
	for _, name := range []string{
		"..", "../escape", "a/../../escape", "/etc/passwd", "a//b", "a/", ".", "./a", ".labnet",
		".labnet/lock", ".LabNet/lock", ".labnet./lock", ".lab\u200bnet/lock", "a\x00b", "a\nb", "\xff",
		"a\u202eb", strings.Repeat("x", 256), strings.Repeat("a/", 100) + "x", strings.Repeat("a/", 1500) + "x", strings.Repeat("long/", 1000) + "x",
	} {
		_, err := f.put(name, "hostile")
		var bad *storage.NameError
		if !errors.As(err, &bad) {
			f.Errorf("put(%.40q): error %v, want a NameError", name, err)
		}
	}
	f.expect(map[string]string{})
}

// nativeNames keeps what other systems could not, under those very names.
func nativeNames(f *fixture) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		f.Skip("this system keeps fewer names, or takes some for the same")
	}
	want := map[string]string{}
	for _, name := range []string{
		".env", ".gitignore", "a/.labnet", "a/.DS_Store", "nul", "COM1.txt", "a/aux.c", "ends in dot.", "trailing space ", " ", "...",
		"👩\u200d🚀.png", "heart\ufe0f", "soft\u00adhyphen", "e\u0301", "\u00e9", `a\b`, "C:f", "x:y", "a&b+c%20?#=", "<>", "\U0010fffe", "xt_CONNMARK.h", "xt_connmark.h",
		strings.Repeat("deep/", 99) + "f",
	} {
		if r := f.keep(name, name); r.Name != name {
			f.Errorf("%q is kept as %q", name, r.Name)
		}
		want[name] = name
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			want[dir+"/"] = ""
		}
	}
	if r := f.keep(".env", "another"); r.Name != ".env (2)" {
		f.Errorf("a second .env is kept as %q", r.Name)
	}
	want[".env (2)"] = "another"
	if err := f.MakeFolder(context.Background(), ".hidden/ folder.", nil); err != nil {
		f.Error(err)
	}
	want[".hidden/"], want[".hidden/ folder./"] = "", ""
	f.expect(want)
}

func randomNames(f *fixture) {
	want := map[string]string{}
	for i := range 3 {
		data := fmt.Sprint("message ", i)
		r := f.keep("", data)
		if !regexp.MustCompile(`^[a-z0-9]{8}\.bin$`).MatchString(r.Name) {
			f.Errorf("random name %q", r.Name)
		}
		want[r.Name] = data
	}
	if len(want) != 3 {
		f.Errorf("random names are not distinct: %v", want)
	}
	f.expect(want)
}

func sizes(f *fixture) {
	for _, size := range []int{
		0, 1, 255, 256, 4095, 4096, 4097, 65535, 65536, 1<<20 - 1, 1 << 20, 1<<20 + 1, 16<<20 + 3,
	} {
		f.Run(fmt.Sprint(size), func(t *testing.T) {
			f := &fixture{t, f.Store, f.look}
			data := pattern(size, 1)
			for name, declared := range map[string]int64{"known": int64(size), "unknown": -1} {
				p := f.begin(name, declared)
				if n, err := p.ReadFrom(iotest.DataErrReader(strings.NewReader(data))); n != int64(size) || err != nil {
					t.Fatalf("ReadFrom = %d, %v", n, err)
				}
				want := sumOf(data)
				if declared < 0 {
					want.Size = -1
				}
				r, err := p.Commit(context.Background(), want)
				if err != nil {
					t.Fatal(err)
				}
				if r.Size != int64(size) || string(r.Digest) != string(want.Digest) {
					t.Errorf("receipt %+v, want size %d, digest %x", r, size, want.Digest)
				}
				if got, err := fs.ReadFile(f.look(), r.Name); err != nil || string(got) != data {
					t.Errorf("stored %d bytes that differ (%v)", len(got), err)
				}
			}
		})
	}
}

func oneByteAtATime(f *fixture) {
	p := f.begin("a", 5)
	if n, err := p.ReadFrom(iotest.OneByteReader(strings.NewReader("hello"))); n != 5 || err != nil {
		f.Fatalf("ReadFrom = %d, %v", n, err)
	}
	if _, err := p.Commit(context.Background(), sumOf("hello")); err != nil {
		f.Fatal(err)
	}
	f.expect(map[string]string{"a": "hello"})
}

func appends(f *fixture) {
	var all strings.Builder
	p := f.begin("a", -1)
	for i, size := range []int{1, 0, 100_000, 1 << 20, 7} {
		piece := pattern(size, byte(i))
		all.WriteString(piece)
		if n, err := p.ReadFrom(strings.NewReader(piece)); n != int64(size) || err != nil {
			f.Fatalf("piece %d: ReadFrom = %d, %v", i, n, err)
		}
	}
	if _, err := p.Commit(context.Background(), sumOf(all.String())); err != nil {
		f.Fatal(err)
	}
	f.expect(map[string]string{"a": all.String()})
}

func mismatch(f *fixture) {
	for name, test := range map[string]struct {
		declared int64
		want     storage.Sum
	}{
		"shorter than declared": {6, storage.Sum{Size: -1}},
		"shorter than wanted":   {-1, storage.Sum{Size: 6}},
		"longer than wanted":    {-1, storage.Sum{Size: 4}},
		"other contents":        {5, sumOf("HELLO")},
		"half a digest":         {5, storage.Sum{Size: 5, Digest: sumOf("hello").Digest[:2]}},
	} {
		p := f.begin("a", test.declared)
		if _, err := p.ReadFrom(strings.NewReader("hello")); err != nil {
			f.Fatal(err)
		}
		_, err := p.Commit(context.Background(), test.want)
		f.expectError(name, err, storage.ErrMismatch)
	}
	p, err := f.Create(context.Background(), storage.File{Name: "a", Size: 5})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := p.ReadFrom(strings.NewReader("hello")); err != nil {
		f.Fatal(err)
	}
	_, err = p.Commit(context.Background(), sumOf("hello"))
	f.expectError("digest that was not computed", err, storage.ErrMismatch)
	f.expect(map[string]string{})
	f.expectError("Err", f.Err(), nil)
	f.keep("a", "hello")
}

func tooLong(f *fixture) {
	for _, pieces := range [][]string{{"hello!"}, {"hello", "!"}, {pattern(3<<20, 0)}} {
		p := f.begin("a", 5)
		var err error
		for _, piece := range pieces {
			_, err = p.ReadFrom(strings.NewReader(piece))
		}
		f.expectError("ReadFrom", err, storage.ErrTooLong)
		_, err = p.Commit(context.Background(), storage.Sum{Size: -1})
		f.expectError("Commit", err, storage.ErrTooLong)
	}
	f.expect(map[string]string{})
}

func invisibleUntilCommit(f *fixture) {
	for _, end := range []string{"abort", "commit"} {
		p := f.begin("folder/a", 5)
		f.expect(map[string]string{})
		if _, err := p.ReadFrom(strings.NewReader("hello")); err != nil {
			f.Fatal(err)
		}
		f.expect(map[string]string{})
		if end == "abort" {
			f.expectError("Abort", p.Abort(), nil)
			f.expectError("second Abort", p.Abort(), nil)
			f.expect(map[string]string{})
		} else {
			if _, err := p.Commit(context.Background(), sumOf("hello")); err != nil {
				f.Fatal(err)
			}
			f.expectError("Abort", p.Abort(), nil)
			f.expect(map[string]string{"folder/": "", "folder/a": "hello"})
		}
		if _, err := p.Commit(context.Background(), sumOf("hello")); err == nil {
			f.Errorf("Commit after %s succeeded", end)
		}
		if _, err := p.ReadFrom(strings.NewReader("x")); err == nil {
			f.Errorf("ReadFrom after %s succeeded", end)
		}
	}
}

func readersError(f *fixture) {
	for _, want := range []error{errors.New("the line broke"), io.ErrUnexpectedEOF} {
		p := f.begin("a", 5)
		broken := io.MultiReader(strings.NewReader("hel"), iotest.ErrReader(want))
		if n, err := p.ReadFrom(broken); n != 3 || err != want {
			f.Errorf("ReadFrom = %d, %v, want 3, %v", n, err, want)
		}
		f.expectError("Abort", p.Abort(), nil)
		f.expect(map[string]string{})
	}
	// What came before the error counts, so that the rest can follow.
	p := f.begin("a", 5)
	if _, err := p.ReadFrom(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("hel")))); err != iotest.ErrTimeout {
		f.Fatal(err)
	}
	if n, err := p.ReadFrom(strings.NewReader("ello")); n != 4 || err != nil {
		f.Fatalf("ReadFrom = %d, %v", n, err)
	}
	if _, err := p.Commit(context.Background(), sumOf("hello")); err != nil {
		f.Fatal(err)
	}
	f.expect(map[string]string{"a": "hello"})
}

func cancelled(f *fixture) {
	ctx, cancel := context.WithCancel(context.Background())
	p, err := f.Create(ctx, storage.File{Name: "a", Size: -1})
	if err != nil {
		f.Fatal(err)
	}
	cancel()
	_, err = p.Commit(ctx, storage.Sum{Size: -1})
	f.expectError("Commit", err, context.Canceled)
	_, err = f.Create(ctx, storage.File{Name: "a", Size: -1})
	f.expectError("Create", err, context.Canceled)
	f.expect(map[string]string{})
}

func metadata(f *fixture) {
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	p, err := f.Create(context.Background(), storage.File{
		Name: "a", Size: 0, ModTime: when, Mode: 0o640 | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky, HasMode: true,
	})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := p.Commit(context.Background(), storage.Sum{}); err != nil {
		f.Fatal(err)
	}
	fi, err := fs.Stat(f.look(), "a")
	if err != nil {
		f.Fatal(err)
	}
	if !fi.ModTime().Equal(when) {
		f.Errorf("time %v, want %v", fi.ModTime(), when)
	}
	if runtime.GOOS == "windows" {
		return // knows no such permissions
	}
	// A umask may have taken the group's permission away; nothing may add any.
	if mode := fi.Mode(); mode&0o600 != 0o600 || mode&^0o640 != 0 {
		f.Errorf("mode %v, want %v", mode, fs.FileMode(0o640))
	}
}

// permissions has files and folders of every mode, also none: nobody may do more
// with what is kept than with its source.
func permissions(f *fixture) {
	if runtime.GOOS == "windows" {
		f.Skip("Windows has no such permissions")
	}
	keep := func(file storage.File) {
		f.Helper()
		p, err := f.Create(context.Background(), file)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := p.Commit(context.Background(), storage.Sum{}); err != nil {
			f.Fatal(err)
		}
	}
	expect := func(name string, most, least fs.FileMode) {
		f.Helper()
		fi, err := fs.Stat(f.look(), name)
		if err != nil {
			f.Fatal(err)
		}
		if fi.IsDir() && fi.Mode().Perm() == 0o555 {
			return // made up by package fstest, for a store in which such folders are but names
		}
		if mode := fi.Mode().Perm(); mode&^most != 0 || least&^mode != 0 {
			f.Errorf("%s: mode %v, want at most %v and at least %v", name, mode, most, least)
		}
	}
	for _, mode := range []fs.FileMode{0, 0o200, 0o400, 0o640, 0o777} {
		name := fmt.Sprintf("file %o", mode)
		keep(storage.File{Name: name, Mode: mode, HasMode: true})
		expect(name, mode, mode&0o700)
	}
	keep(storage.File{Name: "untold"})
	expect("untold", 0o666, 0o600)

	keep(storage.File{Name: "a/b/c/f", Folders: []fs.FileMode{0o700, 0, 0o750}})
	expect("a", 0o700, 0o700)
	expect("a/b", 0o755, 0o700)
	expect("a/b/c", 0o750, 0o700)
	keep(storage.File{Folder: "user/one", Name: "x/f", Folders: []fs.FileMode{0o500}})
	expect("user", 0o755, 0o700)
	expect("user/one", 0o755, 0o700)
	expect("user/one/x", 0o700, 0o700)
	for name, modes := range map[string][]fs.FileMode{"d/e": {0o711, 0o700}, "plain": nil} {
		if err := f.MakeFolder(context.Background(), name, modes); err != nil {
			f.Fatal(err)
		}
	}
	expect("d", 0o711, 0o700)
	expect("d/e", 0o700, 0o700)
	expect("plain", 0o755, 0o700)

	// What exists stays as it is.
	keep(storage.File{Name: "d/e/f", Folders: []fs.FileMode{0o777, 0o777}})
	if err := f.MakeFolder(context.Background(), "d/e", []fs.FileMode{0o777, 0o777}); err != nil {
		f.Fatal(err)
	}
	expect("d/e", 0o700, 0o700)
}

// times has files of every age: they keep their time, or the time at which they
// came if the store cannot hold it, but never another one.
func times(f *fixture) {
	for _, year := range []int{1, 1000, 1600, 1677, 1679, 1900, 1901, 1903, 1960, 1969, 1970, 2037, 2039, 2106, 2200, 2261, 2263, 2400, 2450, 2500, 9999} {
		when := time.Date(year, 12, 31, 23, 59, 59, 250_000_000, time.UTC)
		name := fmt.Sprint(year)
		begun := time.Now()
		p, err := f.Create(context.Background(), storage.File{Name: name, Size: 0, ModTime: when})
		if err != nil {
			f.Fatal(err)
		}
		if _, err := p.Commit(context.Background(), storage.Sum{}); err != nil {
			f.Errorf("%d: %v", year, err)
			continue
		}
		fi, err := fs.Stat(f.look(), name)
		if err != nil {
			f.Fatal(err)
		}
		got := fi.ModTime()
		own := got.Before(begun.Add(-2*time.Second)) || got.After(time.Now().Add(2*time.Second)) // not when it came
		if own && !got.Equal(when) && !got.Equal(when.Truncate(time.Second)) {
			f.Errorf("the time %v became %v", when, got)
		}
		if !own && year >= 1980 && year < 2038 {
			f.Errorf("the time %v was not kept", when)
		}
	}
}
