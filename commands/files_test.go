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
	"slices"
	"strings"
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
	const contents, other = "the contents of a file", "THE CONTENTS OF A FILE"
	log := strings.Repeat("a line\n", 10_000)
	grown := log + contents
	size := func(contents string) wire.Field { return wire.Field{Key: "size", Value: fmt.Sprint(len(contents))} }
	data := func(contents string) []byte {
		return append(wire.DataHeader(uint64(len(contents))).Append(nil), contents...)
	}
	end := func(contents string) []byte { return control("END", size(contents), digestField(contents)) }
	proof := wire.Field{Key: "proof", Value: "blake3,sha256"}
	told := func(contents string) wire.Field {
		var a wire.Announcement
		a.Tell([]byte(contents))
		return wire.Field{Key: a.Contents.Digest.Name, Value: wire.Sum{Digest: a.Contents.Sum}.Hex()}
	}
	join := func(messages ...[]byte) []byte { return bytes.Join(messages, nil) }

	addr, _ := startServe(t, "--store", store)
	for _, test := range []struct {
		name      string
		sent      []byte
		unchanged int
		kept      map[string]string
	}{
		{"say", wire.AppendString(nil, "hello"), 0, nil},
		{"blob", data(contents), 0, nil},
		{"upload", join(control("upload", size(contents)), data(contents), end(contents)), 0, map[string]string{"upload": contents}},
		{"stream", join(control("stream"), wire.DataHeader(0).Append(nil), data(contents), end(contents)), 0, map[string]string{"stream": contents}},
		{"ahead", join(control("ahead/1", size(contents)), control("ahead/2", size(contents)), data(contents), end(contents), data(contents), end(contents)), 1,
			map[string]string{"ahead/1": contents, "ahead/2": contents}},
		{"lab", append([]byte("\x01lab"), data(contents)...), 0, map[string]string{"lab": contents}},
		{"raw text", []byte("raw text"), 0, nil},

		{"again", join(control("upload", size(contents), proof), end(contents)), 1, map[string]string{"upload": contents}},
		{"again, with an id", join(control("upload", size(contents), proof, wire.Field{Key: "id", Value: "1"}), end(contents)), 1, nil},
		{"again, told", control("upload", size(contents), told(contents)), 1, nil},
		{"again, only looked for", join(control("upload", size(contents), proof, wire.Field{Key: "check", Value: "1"}), end(contents)), 1, nil},
		{"again and ahead", join(control("upload", size(contents), told(contents)), control("stream", size(contents), proof), control("ahead/3", size(contents)), end(contents), data(contents), end(contents)), 2,
			map[string]string{"ahead/3": contents}},
		{"others, told", join(control("upload", size(other), told(other)), data(other), end(other)), 0, map[string]string{"upload": contents, "upload (2)": other}},
		{"others", join(control("stream", size(other), proof), control("RESTART"), data(other), end(other)), 0, map[string]string{"stream": contents, "stream (2)": other}},
	} {
		answers := cutEverywhere(t, addr, test.name, test.sent, func() { onlyWhole(t, folder, contents, other) })
		if n := strings.Count(answers, "unchanged=1"); n != test.unchanged {
			t.Errorf("%s: %q", test.name, answers)
		}
		for name, want := range test.kept {
			if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
				t.Errorf("%s: %s holds %.50q, %v", test.name, name, got, err)
			}
		}
	}

	converseOnce(t, addr, join(control("log", size(log)), data(log), end(log)))
	cutEverywhere(t, addr, "grown", join(control("log", size(grown), proof), data(contents), end(grown)), func() {
		onlyWhole(t, folder, contents, other, log, grown)
	})
	for name, want := range map[string]string{"log": log, "log (2)": grown} {
		if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %d other bytes, %v", name, len(got), err)
		}
	}
}

// cutEverywhere ends a conversation after each of its bytes, and checks what came of it.
// It returns what is answered to all of it.
func cutEverywhere(t *testing.T, addr, name string, conversation []byte, check func()) (answers string) {
	t.Helper()
	for cut := range len(conversation) + 1 {
		answers = converseOnce(t, addr, conversation[:cut])
		if check(); t.Failed() {
			t.Fatalf("%s, cut after %d bytes", name, cut)
		}
	}
	return answers
}

// converseOnce sends something, and returns all that the server answers.
func converseOnce(t *testing.T, addr string, sent []byte) (answers string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(sent)
	conn.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Error(err)
	}
	return string(got)
}

// onlyWhole fails the test if a file that is visible in the store has other
// contents than these, or an unfinished one is left.
func onlyWhole(t *testing.T, store string, contents ...string) {
	t.Helper()
	err := filepath.WalkDir(store, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.Name() == "try" { // of a ping, for a moment
			return nil
		}
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		if got, err := os.ReadFile(path); err != nil || !slices.Contains(contents, string(got)) {
			return fmt.Errorf("%s holds %.50q, %v", path, got, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
