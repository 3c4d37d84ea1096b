//go:build unix

package dir

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/labnet/labnet/storage"
)

// Whatever is in a partial's place is removed, not followed, opened so that it
// blocks, or continued.
func TestPlantedPartial(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	for what, plant := range map[string]func(name string) error{
		"FIFO":             func(name string) error { return syscall.Mkfifo(name, 0o666) },
		"folder":           func(name string) error { return os.Mkdir(name, 0o777) },
		"symlink out":      func(name string) error { return os.Symlink(outside, name) },
		"symlink inside":   func(name string) error { return os.Symlink("../g", name) },
		"dangling symlink": func(name string) error { return os.Symlink("nothing", name) },
		"nothing in it":    func(name string) error { return os.WriteFile(name, nil, 0o600) },
	} {
		t.Run(what, func(t *testing.T) {
			if err := os.WriteFile(outside, []byte("out"), 0o666); err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			d := mustOpen(t, folder, Options{})
			mustUpload(t, d, "g", "hello")
			for _, reopen := range []bool{false, true} {
				if err := plant(pathOf(folder, "id")); err != nil {
					t.Fatal(err)
				}
				if reopen {
					if err := d.Close(); err != nil {
						t.Fatal(err)
					}
					d = mustOpen(t, folder, Options{})
					if _, err := os.Lstat(pathOf(folder, "id")); err == nil {
						t.Error("OpenDir left it")
					}
				}
				p := begun(t, d, resumableFile("id", 6), "hello!")
				if got := p.Offer().Size; got != 0 {
					t.Errorf("resumed %d bytes", got)
				}
				if _, err := p.Commit(context.Background(), storage.Sum{Size: 6}); err != nil {
					t.Error(err)
				}
			}
			for name, want := range map[string]string{outside: "out", filepath.Join(folder, "g"): "hello"} {
				if got, err := os.ReadFile(name); err != nil || string(got) != want {
					t.Errorf("%s holds %q (%v)", name, got, err)
				}
			}
		})
	}
}

// A partial that is left takes no more space than its bytes, whatever was
// announced: so the bounds hold.
func TestReservationIsFreed(t *testing.T) {
	const announced = 64 << 20
	folder := t.TempDir()
	used := func(id string) int64 {
		t.Helper()
		var st unix.Stat_t
		if err := unix.Stat(pathOf(folder, id), &st); err != nil {
			t.Fatal(err)
		}
		return int64(st.Blocks) * 512
	}
	d, w := watchDir(t, folder, storage.Rename)
	p := begun(t, d, resumableFile("suspended", announced), "hello")
	if used("suspended") < announced {
		t.Skip("nothing is reserved here")
	}
	if err := p.Suspend(); err != nil {
		t.Fatal(err)
	}
	if got := used("suspended"); got > 1<<20 {
		t.Errorf("suspended: %d bytes taken", got)
	}
	// The disk is full when it is resumed.
	w.before = func(call string) error {
		if strings.HasPrefix(call, "allocate") {
			return noSpace[0]
		}
		return nil
	}
	if _, err := d.Create(context.Background(), resumableFile("suspended", announced)); !errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("Create: %v, want ErrNoSpace", err)
	}
	w.before = func(string) error { return nil }
	p = mustCreate(t, d, resumableFile("suspended", announced))
	if got := p.Offer().Size; got != 5 {
		t.Errorf("%d bytes are left when space is back", got)
	}
	if used("suspended") < announced {
		t.Errorf("nothing is reserved when it is resumed")
	}
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	if used("suspended") < announced {
		t.Errorf("nothing is reserved after a restart")
	}

	begun(t, d, resumableFile("killed", announced), "hello")
	w.before = func(string) error { return errDead }
	d.Close()
	if used("killed") < announced {
		t.Error("not killed")
	}
	mustOpen(t, folder, Options{})
	if got := used("killed"); got > 1<<20 {
		t.Errorf("killed: %d bytes taken", got)
	}
}
