//go:build unix

package commands_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/labnet/labnet/commands"
)

// TestVerifyBesideServer verifies a store again and again whose server replaces all files
// meanwhile, large and small ones: no file is called damaged or changed.
func TestVerifyBesideServer(t *testing.T) {
	if !commands.KeepsDigests(t) {
		t.Skip("no extended attributes here")
	}
	store, files := t.TempDir(), t.TempDir()
	_, addr := launchServe(t, store, "--on-conflict", "replace")
	send := func(round int) {
		for i := range 20 {
			data := bytes.Repeat([]byte(fmt.Sprintln(round, i)), i*i*100)
			must(t, os.WriteFile(filepath.Join(files, fmt.Sprint(i)), data, 0o666))
		}
		cmd := labnetCommand(t, "upload", "-q", "-a", addr, files)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("upload: %v\n%s", err, out)
		}
	}
	send(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for round := range 10 {
			send(round)
		}
	}()
	for verified := 0; ; verified++ {
		out, err := labnetCommand(t, "verify", store).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("; all as received\n")) {
			t.Errorf("verify: %v\n%s", err, out)
		}
		select {
		case <-done:
			if verified == 0 {
				t.Error("all was sent before the first look")
			}
			return
		default:
		}
	}
}
