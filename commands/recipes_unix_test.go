//go:build unix

package commands_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestRecipes runs what docs/recipes.md tells its readers to run.
func TestRecipes(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "recipes.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs(filepath.Join("..", "examples", "lab"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "recipes"),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			e.Setenv("LABNET_LISTEN", "127.0.0.1:0")
			e.Setenv("LABNET_ADDR_FILE", "addr")
			e.Setenv("EXAMPLES", examples)
			// Programs that a recipe is about are the script's own.
			e.Setenv("PATH", filepath.Join(e.WorkDir, "bin")+string(os.PathListSeparator)+e.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":  await,
			"leave":  leave,
			"recipe": func(ts *testscript.TestScript, _ bool, args []string) { recipe(ts, string(page), args) },
		},
	})
}

// recipe HEADING N FILE writes the n-th block of code below a heading to a file
// that can be run.
func recipe(ts *testscript.TestScript, page string, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	_, section, found := strings.Cut(page, "\n## "+args[0]+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := strings.Split(section, "\n```")
	if !found || len(blocks) < 2*n {
		ts.Fatalf("no block %d below %q", n, args[0])
	}
	_, code, _ := strings.Cut(blocks[2*n-1], "\n") // behind the language
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(code+"\n"), 0o777))
}

// leave SCRIPT lets a shell run a script in the background, whose output goes
// to SCRIPT.out. At the end it presses Ctrl-C: all that the script has started
// must end then.
func leave(ts *testscript.TestScript, _ bool, args []string) {
	shell, err := exec.LookPath("sh")
	ts.Check(err)
	cmd := exec.Command(shell, args...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"PATH", "GORACE", "EXAMPLES", "LABNET_LISTEN", "LABNET_ADDR_FILE", "LABNET_STORE"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	out, err := os.Create(ts.MkAbs(args[0] + ".out"))
	ts.Check(err)
	var log bytes.Buffer // is whole only when nothing that was started runs any more
	cmd.Stdout, cmd.Stderr = out, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ts.Check(cmd.Start())
	ts.Defer(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		cmd.Wait()
		out.Close()
		ts.Logf("%s: %s", args[0], &log)
	})
}
