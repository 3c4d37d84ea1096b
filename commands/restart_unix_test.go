//go:build unix

package commands_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFolderSurvivesRestart kills the server in the middle of a folder: the
// client finishes by itself, and every file is there once.
func TestFolderSurvivesRestart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "folder")
	const files = 100
	total := int64(0)
	for i := range files {
		name := filepath.Join(folder, fmt.Sprint(i%10), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		size := 1 + i*i*i%200_000
		randomFile(t, name, size)
		total += int64(size)
	}
	store := filepath.Join(t.TempDir(), "store")
	server, addr := launchServe(t, store)
	reached, killed := make(chan struct{}), make(chan struct{})
	p := startProxy(t, addr, plan{toServer: fault{do: call, at: total / 2, run: func() {
		close(reached)
		<-killed
	}}})
	client := launch(t, labnetCommand(t, "upload", "-a", p.addr, folder))
	<-reached
	server.kill()
	server.wait()
	_, addr = launchServe(t, store)
	p.retarget(addr)
	close(killed)
	if err := client.wait(); err != nil {
		t.Errorf("the client did not finish by itself: %v", err)
	}
	if !strings.Contains(client.stderr.String(), "; trying again for up to 5m\n") {
		t.Errorf("nothing told of a retry: %s", &client.stderr)
	}
	kept := 0
	err := visibleFiles(store, func(name string, contents []byte) {
		kept++
		if want := readFile(t, filepath.Join(filepath.Dir(folder), name)); string(want) != string(contents) {
			t.Errorf("%s has other contents", name)
		}
	})
	if err != nil || kept != files {
		t.Errorf("%d of %d files kept, %v", kept, files, err)
	}
}

// TestInterruptedStream: nothing is kept of a stream whose client is killed
// before its end, be it by a person.
func TestInterruptedStream(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, os.Kill} {
		store := filepath.Join(t.TempDir(), "store")
		addr, lines := startServe(t, "--json", "--store", store)
		cmd := labnetCommand(t, "upload", "-a", addr, "--name", "stream", "-")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		client := launch(t, cmd)
		if _, err := stdin.Write(make([]byte, 3<<20)); err != nil { // more than a pipe holds: it is on its way
			t.Fatal(err)
		}
		client.cmd.Process.Signal(signal)
		if client.wait() == nil {
			t.Error("a killed client succeeded")
		}
		// What the server says next comes after the end of that connection.
		run(t, labnetCommand(t, "say", "-a", addr, "next"))
		if line := nextLine(t, lines); !strings.Contains(line, `"op":"say"`) {
			t.Errorf("the server received %s", line)
		}
		if err := visibleFiles(store, func(name string, _ []byte) { t.Errorf("%s is visible", name) }); err != nil {
			t.Error(err)
		}
	}
}
