package commands_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMountedTokens: a server sees who is revoked in a folder that is mounted, as
// into a container, and says that it could not see it in a file that is.
func TestMountedTokens(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount")
	}
	for _, mounted := range []string{"folder", "file"} {
		t.Run(mounted, func(t *testing.T) {
			dir := t.TempDir()
			outside, inside := filepath.Join(dir, "outside"), filepath.Join(dir, "inside")
			for _, folder := range []string{outside, inside} {
				if err := os.Mkdir(folder, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			move := func(user string) string {
				text := fmt.Sprintf("%s %x\n", user, sha256.Sum256([]byte(anyToken+user)))
				next := filepath.Join(dir, "next")
				if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(next, filepath.Join(outside, "tokens")); err != nil {
					t.Fatal(err)
				}
				return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
			}
			first := move("alice")
			script := `mount --bind "$1" "$2" && shift 2 && exec "$@"`
			from, to := outside, inside
			if mounted == "file" {
				from, to = filepath.Join(outside, "tokens"), filepath.Join(inside, "tokens")
				if err := os.WriteFile(to, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			log, err := os.Create(filepath.Join(dir, "log"))
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--tls", "--tokens", filepath.Join(inside, "tokens"), "--addr-file", filepath.Join(dir, "addr"))
			cmd.Args = append([]string{"sh", "-c", script, "sh", from, to, cmd.Path}, cmd.Args[1:]...)
			cmd.Path = "/bin/sh"
			cmd.Stderr = log
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
			if err := cmd.Start(); err != nil {
				t.Skip("no mount namespace to be had: ", err)
			}
			defer func() { cmd.Cancel(); cmd.Wait() }()
			awaitText(t, log.Name(), `"listening"`)
			awaitText(t, log.Name(), first)
			warned := strings.Contains(string(readFile(t, log.Name())), "this file is mounted by itself")
			if warned != (mounted == "file") {
				t.Errorf("warned: %t\n%s", warned, readFile(t, log.Name()))
			}
			if mounted == "folder" {
				awaitText(t, log.Name(), move("bob")) // nobody has to connect
			}
		})
	}
}
