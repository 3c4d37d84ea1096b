package dir

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/labnet/labnet/storage"
)

func TestDigestAttribute(t *testing.T) {
	folder := t.TempDir()
	if err := unix.Setxattr(folder, "user.labnet.test", []byte("x"), 0); err != nil {
		t.Skip("no extended attributes here:", err)
	}
	d := mustOpen(t, folder, Options{OnConflict: storage.Replace})
	attribute := func(name string) string {
		t.Helper()
		b := make([]byte, 100)
		n, err := unix.Getxattr(filepath.Join(folder, name), "user.labnet.crc64", b)
		if err != nil {
			return err.Error()
		}
		return string(b[:n])
	}
	for data, want := range map[string]string{"": "0000000000000000", "123456789": "995dc9bbdf1939fa"} {
		mustUpload(t, d, "f", data)
		if got := attribute("f"); got != want {
			t.Errorf("%q: attribute %q, want %q", data, got, want)
		}
	}
	// Somebody else's file stays as it is.
	if err := os.WriteFile(filepath.Join(folder, "g"), []byte("same"), 0o666); err != nil {
		t.Fatal(err)
	}
	if r := mustUpload(t, d, "g", "same"); !r.Unchanged {
		t.Errorf("receipt %+v", r)
	}
	if got := attribute("g"); got != syscall.ENODATA.Error() {
		t.Errorf("attribute of a file that was there: %q", got)
	}
	// A file that may not be written to has it, too.
	p := begun(t, d, storage.File{Name: "h", Size: 4, Mode: 0o444, Digest: crc}, "same")
	if _, err := p.Commit(context.Background(), storage.Sum{Size: 4}); err != nil {
		t.Fatal(err)
	}
	if got := attribute("h"); len(got) != 16 {
		t.Errorf("attribute of a read-only file: %q", got)
	}
}
