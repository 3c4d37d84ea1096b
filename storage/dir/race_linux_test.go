package dir

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/labnet/labnet/storage"
)

var races = flag.Int("races", 2000, "how often TestRacedSymlinks tries in each way; a million on a tmpfs takes some minutes")

// TestMain lets the test binary stand in for a process that changes the store of
// another while that uses it.
func TestMain(m *testing.M) {
	if folder := os.Getenv("LABNET_TEST_RACE"); folder != "" {
		race(folder)
	}
	os.Exit(m.Run())
}

// The racer has each of these change places with one of the same name and ".not",
// which is something else: again and again, each time in one system call.
var raced = []string{"folder", "pipe", "file", "both"}

// race is the process that does it, until standard input ends.
func race(folder string) {
	go func() {
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	if err := os.Chdir(folder); err != nil {
		panic(err)
	}
	for n := 0; ; n++ {
		name := raced[n%len(raced)]
		if err := unix.Renameat2(unix.AT_FDCWD, name, unix.AT_FDCWD, name+".not", unix.RENAME_EXCHANGE); err != nil && !errors.Is(err, fs.ErrNotExist) {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// TestRacedSymlinks: another process puts symlinks that lead out, and FIFOs, in
// the place of folders and files, and takes them away again, at any moment of an
// upload. Nothing outside is changed or taken for the store's own, nothing blocks,
// and the store goes on.
func TestRacedSymlinks(t *testing.T) {
	for _, v := range []way{alone, linked, batched, batched | unnamed, replacing, replacing | batched} {
		t.Run(v.String(), func(t *testing.T) {
			folder, outside := t.TempDir(), t.TempDir()
			prepareRace(t, folder, outside)
			before := outsideOf(t, outside)
			d, _ := v.watch(t, folder)

			racer := exec.Command(os.Args[0])
			racer.Env = append(os.Environ(), "LABNET_TEST_RACE="+folder)
			stop, err := racer.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var told strings.Builder
			racer.Stdout = &told
			if err := racer.Start(); err != nil {
				t.Fatal(err)
			}
			var done, refused, next atomic.Int64
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for i := next.Add(1); i <= int64(*races); i = next.Add(1) {
						if err := d.underRace(i); errors.Is(err, errEscaped) {
							t.Errorf("try %d: %v", i, err)
						} else if err != nil {
							refused.Add(1)
						} else {
							done.Add(1)
						}
						if i%5000 == 0 {
							clearRace(folder)
						}
					}
				})
			}
			all.Wait()
			stop.Close()
			racer.Wait()
			if told.Len() > 0 {
				t.Skip("this filesystem cannot exchange names: ", &told)
			}
			if diff := cmp.Diff(before, outsideOf(t, outside)); diff != "" {
				t.Errorf("outside (-before +after):\n%s", diff)
			}
			if err := d.Err(); err != nil {
				t.Errorf("the store failed: %v", err)
			}
			t.Logf("%d done, %d refused", done.Load(), refused.Load())
			if done.Load() == 0 || refused.Load() == 0 {
				t.Error("there was no race")
			}
		})
	}
}

// prepareRace makes what the racer is to exchange.
func prepareRace(t *testing.T, folder, outside string) {
	t.Helper()
	in := func(name string) string { return filepath.Join(folder, name) }
	if err := errors.Join(
		os.Mkdir(in("folder"), 0o777), os.Symlink(outside, in("folder.not")),
		os.Mkdir(in("pipe"), 0o777), unix.Mkfifo(in("pipe.not"), 0o666),
		os.WriteFile(filepath.Join(outside, "seen"), []byte("outside"), 0o666),
		os.WriteFile(in("folder/seen"), []byte("inside"), 0o666),
		os.WriteFile(in("file"), []byte("inside"), 0o666), os.Symlink(filepath.Join(outside, "seen"), in("file.not")),
		os.Symlink(outside, in("both")), unix.Mkfifo(in("both.not"), 0o666),
	); err != nil {
		t.Fatal(err)
	}
}

// clearRace removes what has come into the folders, lest they grow without end.
func clearRace(folder string) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return
	}
	defer root.Close()
	for _, name := range []string{"folder", "folder.not", "pipe", "pipe.not"} {
		folder, err := root.OpenFile(name, unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		entries, _ := folder.ReadDir(-1)
		for _, e := range entries {
			if e.Name() != "seen" {
				root.RemoveAll(path.Join(name, e.Name()))
			}
		}
		folder.Close()
	}
}

// outsideOf tells of everything outside what it is, what it holds, and when it was
// last changed: of a folder, when something last came or went.
func outsideOf(t *testing.T, outside string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(outside, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		data := []byte(nil)
		if fi.Mode().IsRegular() {
			data, err = os.ReadFile(name)
		}
		fmt.Fprintf(&b, "%s %v %v %q\n", name, fi.Mode(), fi.ModTime(), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// notSeen fails if an upload has found its like under its own name, which only a
// file outside is.
func (d *Store) notSeen(r storage.Receipt, err error) error {
	if err == nil && r.Unchanged && d.onConflict == storage.Rename && !strings.Contains(r.Name, "(") {
		return errEscaped
	}
	return err
}

var errEscaped = errors.New("what is outside was taken for the store's own")

// underRace is the i-th try to lead the store out.
func (d *Store) underRace(i int64) error {
	ctx := context.Background()
	upload := func(name, data string) (storage.Receipt, error) {
		p, err := d.Create(ctx, storage.File{Name: name, Size: int64(len(data))})
		if err != nil {
			return storage.Receipt{}, err
		}
		defer p.Abort()
		if _, err := p.ReadFrom(strings.NewReader(data)); err != nil {
			return storage.Receipt{}, err
		}
		return p.Commit(ctx, storage.Sum{Size: int64(len(data))})
	}
	n := i / 8
	switch i % 8 {
	case 0, 1:
		_, err := upload(fmt.Sprintf("folder/%d", n%500), fmt.Sprint(n%3))
		return err
	case 2:
		_, err := upload(fmt.Sprintf("folder/%d/%d/f", n%50, n%3), "new")
		return err
	case 3:
		return d.MakeFolder(ctx, fmt.Sprintf("folder/made %d/below", n%500), nil)
	case 4:
		_, err := upload(fmt.Sprintf("pipe/%d", n%500), fmt.Sprint(n%3))
		return err
	case 5:
		return d.notSeen(upload("folder/seen", "outside"))
	case 6:
		return d.notSeen(upload("file", "outside"))
	default:
		_, err := upload(fmt.Sprintf("both/%d", n%500), "new")
		return err
	}
}
