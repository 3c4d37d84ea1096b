package commands_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCtrlCInBash: a person presses Ctrl-C while a loop uploads, which ends the
// loop, and then works on in the same shell.
func TestCtrlCInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash not found: ", err)
	}
	addr, begun := serveForever(t)
	model := labnetCommand(t)
	cmd := testCommand(t, bash, "--norc", "--noprofile", "--noediting", "-i")
	cmd.Env = append(model.Env, "LABNET="+model.Path, "LABNET_ADDR="+addr, "PS1=ready> ")
	for _, name := range []string{"a", "b"} {
		randomFile(t, filepath.Join(cmd.Dir, name), 64<<20)
	}
	p := sitDown(t, cmd)
	p.awaits(t, "ready> ")
	p.types(t, "for f in a b; do $LABNET upload $f; echo next: $f; done\n")
	p.awaits(t, "done\r\n")
	<-begun
	p.types(t, "\x03")
	if said := p.awaits(t, "ready> "); strings.Contains(said, "next") || strings.Contains(said, "labnet") {
		t.Errorf("after Ctrl-C: %q", said)
	}
	p.types(t, "echo it was $?\n")
	p.awaits(t, "it was 130\r\n")
	p.types(t, "exit\n")
	p.ends(t, cmd)
}

// TestColours: the log has colours on a terminal, unless NO_COLOR is set to
// something (no-color.org).
func TestColours(t *testing.T) {
	for _, test := range []struct {
		env     string
		colours bool
	}{{"NO_COLOR=", true}, {"NO_COLOR=1", false}} {
		cmd := labnetCommand(t, "serve", "-l", "127.0.0.1:0")
		cmd.Env = append(cmd.Env, test.env)
		p := sitDown(t, cmd)
		said := p.awaits(t, "address=") + p.awaits(t, "received")
		cmd.Process.Signal(syscall.SIGINT)
		said += p.ends(t, cmd)
		if coloured := strings.Contains(said, "\x1b["); coloured != test.colours || !strings.Contains(said, "listening") {
			t.Errorf("%s: %q", test.env, said)
		}
	}
}
