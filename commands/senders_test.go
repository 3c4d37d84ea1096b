package commands_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestTwoSenders has two machines send different contents under the same name, of
// the same size and time, the one while the other is under way: both are kept.
func TestTwoSenders(t *testing.T) {
	server := startLabnetServer(t)
	send := func(addr, machine, contents string) (string, error) {
		dir := filepath.Join(t.TempDir(), machine)
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Error(err)
		}
		file := filepath.Join(dir, "disk.img")
		if err := os.WriteFile(file, []byte(strings.Repeat(contents, 2<<20)), 0o666); err != nil {
			t.Error(err)
		}
		when := time.Unix(1732285920, 0)
		if err := os.Chtimes(file, when, when); err != nil {
			t.Error(err)
		}
		cmd := labnetCommand(t, "upload", "-a", addr, "disk.img")
		cmd.Dir = dir
		cmd.Env = append(cmd.Env, "XDG_STATE_HOME="+filepath.Join(dir, "state"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	var second string
	var err error
	proxy := startProxy(t, server.addr, plan{toServer: fault{do: call, at: 1 << 20, run: func() {
		second, err = send(server.addr, "second", "2")
	}}})
	first, err1 := send(proxy.addr, "first", "1")
	if err != nil || err1 != nil {
		t.Errorf("first: %v\n%s\nsecond: %v\n%s", err1, first, err, second)
	}
	for name, contents := range map[string]string{"disk.img": "2", "disk (2).img": "1"} {
		if got := string(readFile(t, filepath.Join(server.dir, name))); got != strings.Repeat(contents, 2<<20) {
			t.Errorf("%s is not what one of them has sent", name)
		}
	}
}

// TestSenderState uploads a small file, which needs no secret, and a large one with
// and without a folder to keep one in: neither fails or says anything of it.
func TestSenderState(t *testing.T) {
	server := startLabnetServer(t)
	dir := t.TempDir()
	for name, size := range map[string]int{"small": 1<<20 - 1, "large": 1 << 20, "blocker": 1} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o777); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	for _, tt := range []struct {
		about, file, home, state string
		kept                     bool
	}{
		{"a small file", "small", home, state, false},
		{"a large file", "large", home, state, true},
		{"no home", "large", "", "", false},
		{"a home that does not exist", "large", filepath.Join(dir, "nobody"), "", false},
		{"a home that cannot be written to", "large", filepath.Join(dir, "blocker"), "", false},
		{"a state folder that cannot be made", "large", home, filepath.Join(dir, "blocker", "state"), false},
		{"a state folder that is not absolute", "large", "", "state", false},
	} {
		t.Run(tt.about, func(t *testing.T) {
			if err := os.RemoveAll(state); err != nil {
				t.Fatal(err)
			}
			cmd := labnetCommand(t, "upload", "-q", "-a", server.addr, tt.file)
			cmd.Dir = dir
			cmd.Env = append(cmd.Env, "XDG_STATE_HOME="+tt.state, "HOME="+tt.home, "USERPROFILE="+tt.home)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v\n%s", err, out)
			}
			info, err := os.Stat(filepath.Join(state, "labnet", "sender"))
			if kept := err == nil; kept != tt.kept {
				t.Errorf("a secret was kept: %v, want %v", kept, tt.kept)
			}
			if err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("others may read it: %v", info.Mode())
			}
		})
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 4 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
