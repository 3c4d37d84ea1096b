package commands_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// completes is what each shell makes of a line at Tab and Enter. The file
// completes in the folder of filesToComplete.
var completes = []struct{ line, want string }{
	{"labnet upl\t", "<upload>"},
	{"labnet --vers\t", "<--version>"},
	{"labnet upload a\t", "<upload><a file.txt>"},
	{"labnet upload a\\ f\t", "<upload><a file.txt>"},
	{"labnet upload 'a f\t", "<upload><a file.txt>"},
	{"labnet upload fol\tin\t", "<upload><folder/inner>"},
	{"labnet upload -q re\t", "<upload><-q><report.txt>"},
	{"labnet upload --no-t\tre\t", "<upload><--no-times><report.txt>"},
	{"labnet upload re\t --no-p\t", "<upload><report.txt><--no-perms>"},
	{"labnet upload --digest sh\t", "<upload><--digest><sha256>"},
	{"labnet upload --digest=sh\t", "<upload><--digest=sha256>"},
	{"labnet upload --name re\t", "<upload><--name><re>"},
	{"labnet upload -- --no-t\t", "<upload><--><--no-t>"},
	{"labnet upload -- re\t", "<upload><--><report.txt>"},
	{"labnet serve --on-conflict ren\t", "<serve><--on-conflict><rename>"},
	{"labnet serve --lab e\t", "<serve><--lab><extra>"},
	{"labnet serve --log-level w\t", "<serve><--log-level><warn>"},
	{"labnet serve --store fol\t", "<serve><--store><folder/>"},
	{"labnet serve --store=my\t", "<serve><--store=my folder/>"},
	{"labnet serve --store my\\ fo\t", "<serve><--store><my folder/>"},
	{"labnet serve --addr-file re\t", "<serve><--addr-file><report.txt>"},
	{"labnet serve re\t", "<serve><re>"},
	{"labnet say re\t", "<say><re>"},
	{"labnet say --js\t", "<say><--json>"},
	{"labnet help pi\t", "<help><ping>"},
	{"labnet completion fi\t", "<completion><fish>"},
	{"labnet frobnicate re\t", "<frobnicate><re>"},
}

// filesToComplete makes a folder with files, and a labnet that shows with what
// arguments it was run, and returns them.
func filesToComplete(t *testing.T) (dir, bin string) {
	t.Helper()
	dir, bin = t.TempDir(), t.TempDir()
	for _, name := range []string{"folder", "my folder"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a file.txt", "report.txt", "folder/inner"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const program = "#!/bin/sh\nprintf '[run]'\nprintf '<%s>' \"$@\"\necho '[end]'\n"
	if err := os.WriteFile(filepath.Join(bin, "labnet"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir, bin
}

// TestCompletion presses Tab in real shells. A labnet that is run before Enter
// shows.
func TestCompletion(t *testing.T) {
	shells := []struct {
		name, shell string
		args        []string
		setup       string // %s is the file with the script
	}{
		{
			name: "bash", shell: "bash", args: []string{"--norc", "--noprofile", "-i"},
			setup: "bind 'set enable-bracketed-paste off'; PS1='pro''mpt>'; source '%s'",
		},
		{
			name: "bash with bash-completion", shell: "bash", args: []string{"--norc", "--noprofile", "-i"},
			setup: "bind 'set enable-bracketed-paste off'; PS1='pro''mpt>'; source /usr/share/bash-completion/bash_completion; source '%s'",
		},
		{
			name: "zsh", shell: "zsh", args: []string{"-f", "-i"},
			setup: "autoload -U compinit; compinit -u -D; unsetopt auto_remove_slash; unset zle_bracketed_paste; PS1='pro''mpt>'; source '%s'",
		},
		{
			name: "zsh, autoloaded", shell: "zsh", args: []string{"-f", "-i"},
			setup: "mkdir ../fpath; cp '%s' ../fpath/_labnet; fpath+=($PWD/../fpath); autoload -U compinit; compinit -u -D; unsetopt auto_remove_slash; unset zle_bracketed_paste; PS1='pro''mpt>'",
		},
		{
			name: "fish", shell: "fish", args: []string{"--no-config", "-i"},
			setup: "function fish_prompt; echo -n pro''mpt'>'; end; source '%s'",
		},
	}
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath(shell.shell)
			if err != nil {
				t.Skip("not installed: ", err)
			}
			if strings.Contains(shell.setup, "/usr/share/bash-completion/") {
				if _, err := os.Stat("/usr/share/bash-completion/bash_completion"); err != nil {
					t.Skip("not installed: ", err)
				}
			}
			script := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(script, []byte(run(t, labnetCommand(t, "completion", shell.shell))), 0o600); err != nil {
				t.Fatal(err)
			}
			dir, bin := filesToComplete(t)
			cmd := testCommand(t, program, shell.args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "HISTFILE=", "PATH="+bin+":"+os.Getenv("PATH"))
			p := sitDown(t, cmd)
			p.types(t, strings.ReplaceAll(shell.setup, "%s", script)+"\r")
			p.awaits(t, "prompt>")
			for _, c := range completes {
				p.types(t, c.line+"\r")
				p.awaits(t, "[run]")
				if got := p.awaits(t, "[end]"); got != c.want {
					t.Errorf("%q became %s, want %s", c.line, got, c.want)
				}
				p.awaits(t, "prompt>")
			}
		})
	}
}
