package commands_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/labnet/labnet/wire"
)

// randomFile makes a file of random bytes.
func randomFile(t *testing.T, name string, size int) {
	t.Helper()
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(b)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sameFiles fails the test unless two files have the same contents.
func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	fa, err := os.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	defer fb.Close()
	bufA, bufB := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, errA := io.ReadFull(fa, bufA)
		m, errB := io.ReadFull(fb, bufB)
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			t.Fatalf("%s and %s differ", a, b)
		}
		if errA != nil || errB != nil {
			return
		}
	}
}

// TestSizes uploads files around every border of the protocol's sizes.
func TestSizes(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	addr, _ := startServe(t, "--store", store)
	cmd := labnetCommand(t, "upload", "-a", addr)
	sizes := []int{0, 1, 255, 256, 4095, 4096, 4097, 65535, 65536, 16777215, 16777216}
	for _, size := range sizes {
		name := fmt.Sprint(size)
		randomFile(t, filepath.Join(cmd.Dir, name), size)
		cmd.Args = append(cmd.Args, name)
	}
	run(t, cmd)
	for _, size := range sizes {
		sameFiles(t, filepath.Join(cmd.Dir, fmt.Sprint(size)), filepath.Join(store, fmt.Sprint(size)))
	}
}

// TestHugeFile uploads a file whose size does not fit into 32 bits.
func TestHugeFile(t *testing.T) {
	if testing.Short() {
		t.Skip("4 GiB take a while: not with -short")
	}
	store := filepath.Join(t.TempDir(), "store")
	addr, _ := startServe(t, "--store", store)
	cmd := labnetCommand(t, "upload", "-a", addr, "--timeout", "5m", "huge")
	huge := filepath.Join(cmd.Dir, "huge")
	f, err := os.Create(huge)
	if err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{0, 1 << 31, 1<<32 - 3, 1 << 32} {
		if _, err := f.WriteAt([]byte("marked"), offset); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sameFiles(t, huge, filepath.Join(store, "huge"))
}

// TestSameNameAtOnce: two clients upload different files of one name.
func TestSameNameAtOnce(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	addr, _ := startServe(t, "--store", store)
	var clients sync.WaitGroup
	var files []string
	for i := range 2 {
		cmd := labnetCommand(t, "upload", "-a", addr, "f")
		file := filepath.Join(cmd.Dir, "f")
		randomFile(t, file, 5_000_000+i)
		files = append(files, file)
		clients.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	clients.Wait()
	first, second := filepath.Join(store, "f"), filepath.Join(store, "f (2)")
	if info, err := os.Stat(first); err == nil && info.Size() != 5_000_000 {
		first, second = second, first
	}
	sameFiles(t, files[0], first)
	sameFiles(t, files[1], second)
}

// digestField is the field of END that has the digest of some contents.
func digestField(contents string) wire.Field {
	d := wire.Digests()[0]
	h := d.New()
	io.WriteString(h, contents)
	return wire.Field{Key: d.Name, Value: wire.Sum{Digest: h.Sum(nil)}.Hex()}
}

// TestCuts ends every conversation after each of its bytes: nothing but whole
// files ever has a name, and the server goes on.
func TestCuts(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	testCuts(t, store, store)
}

// testCuts does that with a store that can be seen in a folder.
func testCuts(t *testing.T, store, folder string) {
	const contents = "the contents of a file"
	size := wire.Field{Key: "size", Value: fmt.Sprint(len(contents))}
	data := append(wire.DataHeader(uint64(len(contents))).Append(nil), contents...)
	end := control("END", size, digestField(contents))
	conversations := map[string][]byte{
		"say":      wire.AppendString(nil, "hello"),
		"blob":     data,
		"upload":   bytes.Join([][]byte{control("upload", size), data, end}, nil),
		"stream":   bytes.Join([][]byte{control("stream"), wire.DataHeader(0).Append(nil), data, end}, nil),
		"ahead":    bytes.Join([][]byte{control("ahead/1", size), control("ahead/2", size), data, end, data, end}, nil),
		"lab":      append([]byte("\x01lab"), data...),
		"raw text": []byte("raw text"),
	}

	addr, _ := startServe(t, "--store", store)
	for name, conversation := range conversations {
		for cut := range len(conversation) + 1 {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			conn.Write(conversation[:cut])
			conn.(*net.TCPConn).CloseWrite()
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Errorf("%s cut after %d bytes: %v", name, cut, err)
			}
			conn.Close()
			onlyWhole(t, folder, contents)
		}
	}
	for _, name := range []string{"upload", "stream", "ahead/1", "ahead/2", "lab"} {
		if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != contents {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// onlyWhole fails the test if a file that is visible in the store has other
// contents, or an unfinished one is left.
func onlyWhole(t *testing.T, store, contents string) {
	t.Helper()
	err := filepath.WalkDir(store, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.Name() == "try" { // of a ping, for a moment
			return nil
		}
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != contents {
			return fmt.Errorf("%s holds %q, %v", path, got, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
