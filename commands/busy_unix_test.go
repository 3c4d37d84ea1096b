//go:build unix

package commands_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestBusy: a client for which there is no room tries again by itself.
func TestBusy(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	_, addr := launchServe(t, store, "--max-conns", "1")
	held, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	held.Write(wire.AppendString(nil, "me first"))
	if _, err := io.ReadFull(held, make([]byte, len("\x01\x11\x00Message: me first"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "f")
	randomFile(t, file, 1<<20)
	told, err := os.Create(filepath.Join(t.TempDir(), "told"))
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	cmd := labnetCommand(t, "upload", "-a", addr, file)
	cmd.Stderr = told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	overdue := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	for end := time.Now().Add(patience); !bytes.Contains(readFile(t, told.Name()), []byte("f: the server has reached its connection limit; trying again for up to 5m")); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it said %s", readFile(t, told.Name()))
		}
	}
	held.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, readFile(t, told.Name()))
	}
	sameFiles(t, file, filepath.Join(store, "f"))
}
