//go:build unix

package commands_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	// elsewhere is what needs more than labnet and a shell: an object store, a build, a
	// program of the course, or a machine to install on.
	elsewhere = regexp.MustCompile(`(?m)s3://|https://|^(go|just|sudo|packaging/\S+|labnet check) `)
	// asking is what talks to a person.
	asking = regexp.MustCompile(`(?m)^labnet (say|blob|upload|ping) *(#.*)?$`)
	listen = regexp.MustCompile(`(-l|--listen) \S+`)
)

// documents are run by TestDocuments, docs/recipes.md by TestRecipes.
var documents = map[string]int{ // at least so many blocks or servers
	"README.md": 3, "docs/serve.md": 5, "docs/upload.md": 6, "docs/network.md": 3, "docs/lab.md": 2, "docs/http.md": 1,
}

// TestDocuments runs the commands that documents tell their readers to run, except
// those that need something elsewhere.
func TestDocuments(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is needed")
	}
	store := filepath.Join(t.TempDir(), "store")
	_, addr := launchServe(t, store)
	for name, least := range documents {
		ran := 0
		for _, block := range shellBlock.FindAllStringSubmatch(string(readFile(t, filepath.Join("..", name))), -1) {
			code := asking.ReplaceAllString(block[1], "")
			code = strings.ReplaceAll(code, "tail -f ", "cat ")
			code = strings.ReplaceAll(code, "http://127.0.0.1:9000", "http://"+addr)
			switch {
			case elsewhere.MatchString(code), strings.TrimSpace(code) == "":
				continue
			case strings.Contains(code, "labnet serve"):
				var others strings.Builder
				for line := range strings.Lines(code) {
					if !strings.Contains(line, "labnet serve") {
						others.WriteString(line)
						continue
					}
					ran++
					t.Run(name+"/"+strings.TrimSpace(line), func(t *testing.T) { documentedServer(t, bash, line) })
				}
				code = others.String()
			}
			if strings.TrimSpace(code) == "" {
				continue
			}
			ran++
			first, _, _ := strings.Cut(code, "\n")
			t.Run(name+"/"+first, func(t *testing.T) {
				cmd := documentedCommand(t, bash, "set -e\n"+code)
				if err := os.Symlink(store, filepath.Join(cmd.Dir, "received")); err != nil {
					t.Fatal(err)
				}
				cmd.Env = append(cmd.Env, "LABNET_ADDR="+addr)
				run(t, cmd)
			})
		}
		if ran < least {
			t.Errorf("%s: only %d commands were found", name, ran)
		}
	}
}

// documentedServer runs a line that starts a server, but on a port of its own.
func documentedServer(t *testing.T, bash, line string) {
	cmd := documentedCommand(t, bash, listen.ReplaceAllString(line, "-l 127.0.0.1:0"))
	addrFile := filepath.Join(cmd.Dir, "addr")
	cmd.Env = append(cmd.Env, "LABNET_LISTEN=127.0.0.1:0", "LABNET_ADDR_FILE="+addrFile)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); cmd.Wait() }()
	defer func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}()
	for overdue := time.After(patience); ; {
		if _, err := os.Stat(addrFile); err == nil {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ended:
			t.Fatalf("it ended:\n%s", &out)
		case <-overdue:
			t.Fatal("it does not listen")
		}
	}
}

// documentedCommand returns a script for a folder that has what the commands are about.
func documentedCommand(t *testing.T, bash, script string) *exec.Cmd {
	t.Helper()
	for _, program := range []string{"curl", "jq", "openssl", "nc", "wget"} {
		if _, err := exec.LookPath(program); err != nil && strings.Contains(script, program+" ") {
			t.Skip(program + " is needed")
		}
	}
	self := labnetCommand(t)
	cmd := testCommand(t, bash, "-c", script)
	bin := filepath.Join(cmd.Dir, "bin")
	for name, text := range map[string]string{
		"report.pdf": "a report", "slides.pdf": "slides", "photos/a.jpg": "a photo", "log": "a line\n", "list": "report.pdf\n",
		"january.pdf": "january", "shop": "", "project/main.c": "code", "sample": "a sample",
		"tokens":     fmt.Sprintf("alice %x\n", sha256.Sum256([]byte(anyToken))),
		"process.sh": "#!/bin/sh\n", "bin/pg_dump": "#!/bin/sh\necho a dump\n",
		"bin/labnet": "#!/bin/sh\nexec '" + self.Path + "' \"$@\"\n",
	} {
		file := filepath.Join(cmd.Dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	newPair(t, filepath.Join(cmd.Dir, "fullchain.pem"), filepath.Join(cmd.Dir, "privkey.pem"), 1)
	cmd.Env = append(self.Env, "HOME="+cmd.Dir, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return cmd
}
