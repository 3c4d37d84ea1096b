package commands_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/labnet/labnet/commands"
)

// otherPrograms are what the test binary can be besides labnet, by the value of
// LABNET_TEST_MAIN. None returns.
var otherPrograms = map[string]func(){}

// TestMain lets the test binary stand in for labnet: in scripts as the command
// of that name, elsewhere when LABNET_TEST_MAIN is set.
func TestMain(m *testing.M) {
	if name := os.Getenv("LABNET_TEST_MAIN"); name != "" {
		if program := otherPrograms[name]; program != nil {
			program()
		}
		labnet()
	}
	testscript.Main(withState{m}, map[string]func(){"labnet": labnet})
}

// withState keeps what clients remember of earlier runs out of the home of whoever
// runs the tests.
type withState struct{ *testing.M }

func (m withState) Run() int {
	dir, err := os.MkdirTemp("", "labnet-state")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv("XDG_STATE_HOME", dir)
	os.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	switch runtime.GOOS { // where settings are elsewhere
	case "darwin", "ios":
		os.Setenv("HOME", dir)
	case "windows":
		os.Setenv("AppData", dir)
	}
	return m.M.Run()
}

// labnet is what main does.
func labnet() {
	os.Exit(commands.Main(context.Background(), os.Args))
}

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, ".state"))
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, ".config"))
			e.Setenv("GORACE", "atexit_sleep_ms=0") // a second each time, under -race
			return nil
		},
		Condition: func(condition string) (bool, error) {
			if condition != "attributes" {
				return false, fmt.Errorf("unknown condition %q", condition)
			}
			return commands.KeepsDigests(t), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await,
		},
	})
}

// await FILE waits until a server wrote its address to FILE, and sets
// LABNET_ADDR to it.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await file")
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if addr, err := os.ReadFile(ts.MkAbs(args[0])); err == nil {
			ts.Setenv("LABNET_ADDR", strings.TrimSpace(string(addr)))
			return
		}
	}
	ts.Fatalf("no server wrote its address to %s", args[0])
}
