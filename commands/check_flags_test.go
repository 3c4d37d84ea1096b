package commands_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/commands/check"
)

// verdicts are the cases and what came of them, as in "5.256 pass".
func verdicts(results []check.Result) (list []string) {
	for _, r := range results {
		list = append(list, r.ID+" "+string(r.Verdict))
	}
	return list
}

// TestCheckFolder: with --dir, what a running server saves is looked at, and removed
// unless --keep is given; without, it cannot be told.
func TestCheckFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine.bin")
	if err := os.WriteFile(mine, []byte("not of check"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, _ := startServe(t, "--lab", "5", "--store", dir)
	files := func() (n int) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				n++
			}
		}
		return n
	}
	for _, test := range []struct {
		flags   []string
		verdict check.Verdict
		files   int
	}{
		{[]string{"--size-bytes", "types"}, check.CannotTell, 3},
		{[]string{"--dir", dir}, check.Pass, 3},
		{[]string{"--dir", dir, "--keep", "--size-bytes", "types"}, check.Pass, 5},
	} {
		results, code, stderr := checkResults(t, append(test.flags, "--lab", "5", "--only", "5.256,5.100000", addr))
		want := []string{"1.again pass", "5.scheme pass", "5.256 " + string(test.verdict), "5.100000 " + string(test.verdict)}
		if got := verdicts(results); code != 0 || !slices.Equal(got, want) {
			t.Errorf("%q: exit %d, %q, %s", test.flags, code, got, stderr)
		}
		if n := files(); n != test.files { // with the two of the first run, which did not know where
			t.Errorf("%q: %d files, want %d", test.flags, n, test.files)
		}
	}
	if string(readFile(t, mine)) != "not of check" {
		t.Error("a file that is not of check was changed")
	}
}

// TestCheckSchemes: what is given is spoken, and not looked for.
func TestCheckSchemes(t *testing.T) {
	t.Parallel()
	for task, schemes := range map[string][][]string{
		"5": {{"--size-bytes", "4"}, {"--size-bytes", "8", "--big-endian"}, {"--big-endian"}},
		"6": {{"--name-bytes", "2"}, {"--size-bytes", "2", "--name-bytes", "4", "--big-endian"}},
	} {
		for _, scheme := range schemes {
			t.Run(task+strings.Join(scheme, " "), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				addr, _ := startServe(t, append(scheme, "--lab", task, "--store", dir)...)
				only := map[string]string{"5": "5.256,5.header", "6": "6.small,6.name"}[task]
				results, code, stderr := checkResults(t, append(scheme, "--lab", task, "--dir", dir, "--only", only, addr))
				if bad := notPassed(results); code != 0 || len(bad) > 0 || len(results) < 4 {
					t.Errorf("exit %d, %+v, %s", code, bad, stderr)
				}
			})
		}
	}
}

// answering is a server of task 3 that says something of its own; "" is nothing.
func answering(t *testing.T, answer string) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				b := make([]byte, 4096)
				n, _ := conn.Read(b)
				if n > 0 && answer != "" {
					conn.Write([]byte(answer + string(b[:n])))
				}
				if n == 0 || answer != "" {
					conn.Close()
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestCheckExitCodes has what a teacher grades by.
func TestCheckExitCodes(t *testing.T) {
	t.Parallel()
	taken, _ := startServe(t, "--lab", "3", "--store", t.TempDir())
	free, _ := freeAddress(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		want string // among the verdicts, or on standard error
	}{
		{"all is well", []string{"--lab", "3", "--only", "3.answer", taken}, 0, "3.answer pass"},
		{"a warning", []string{"--lab", "3", "--only", "3.answer", answering(t, "Message received: ")}, 0, "3.answer warn"},
		{"a warning, strictly", []string{"--lab", "3", "--strict", "--only", "3.answer", answering(t, "Message received: ")}, 1, "3.answer warn"},
		{"a fail", []string{"--lab", "3", "--only", "3.answer", "--timeout", "300ms", answering(t, "")}, 1, "3.answer fail"},
		{"what needs it is not run", []string{"--lab", "3", "--only", "3.utf8", "--timeout", "300ms", answering(t, "")}, 1, "3.utf8 not-run"},
		{"not there", []string{"--lab", "3", free}, 3, "no connection was accepted"},
		{"the address is taken", []string{"--lab", "3", taken, "--", self}, 2, "another program listens there already"},
		{"no folder", []string{"--lab", "5", "--dir", filepath.Join(t.TempDir(), "none"), taken}, 2, "none: no such file"},
		{"no command", []string{"--lab", "5", free, "--", filepath.Join(t.TempDir(), "none")}, 2, "none: no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			results, code, stderr := checkResults(t, test.args)
			if code != test.code || !slices.Contains(verdicts(results), test.want) && !strings.Contains(stderr, test.want) {
				t.Errorf("exit %d, %q, %s; want %d, %s", code, verdicts(results), stderr, test.code, test.want)
			}
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestCheckListens: --listen names the address, which the words in a command stand for.
func TestCheckListens(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr, port := freeAddress(t)
	results, code, stderr := checkResults(t, []string{"--client", "--lab", "1", "--listen", addr, "--", self, "ping", "--lab", "1", "-c", "1", "-a", "{host}:" + port})
	if code != 0 || !slices.Equal(verdicts(results), []string{"c1 pass"}) {
		t.Errorf("exit %d, %q, %s", code, verdicts(results), stderr)
	}
}

// TestCheckDocumented: the commands in docs/lab.md are right, also those in workflows.
func TestCheckDocumented(t *testing.T) {
	t.Parallel()
	commands := regexp.MustCompile("labnet (check [^`\n|]*-- python3 (?:server|client)\\.py[^`\n|]*)").FindAllStringSubmatch(string(readFile(t, "../docs/lab.md")), -1)
	if len(commands) < 18 {
		t.Fatalf("only %d commands", len(commands))
	}
	for _, command := range commands {
		before, after, _ := strings.Cut(command[1], " -- ")
		args := slices.Concat(strings.Fields(before), []string{"--list"}, []string{"--"}, strings.Fields(after))
		args = slices.DeleteFunc(args, func(arg string) bool { return arg == "--type" || arg == "lines" }) // a file that is not there
		if list := run(t, labnetCommand(t, args...)); list == "" {
			t.Errorf("%q lists nothing", args)
		}
	}
}
