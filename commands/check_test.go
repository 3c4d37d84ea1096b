package commands_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/labnet/labnet/commands/check"
)

// nextPort is the next one that freeAddress tries.
var nextPort = sync.OnceValue(func() *atomic.Uint32 {
	n := new(atomic.Uint32)
	n.Store(rand.Uint32())
	return n
})

// freeAddress returns an address at which nothing listens. Nothing that asks the system
// for any port gets that one, before the program listens there that is told it.
func freeAddress(t *testing.T) (addr, port string) {
	t.Helper()
	const first, last = 10_000, 32_000 // below what Linux gives away
	for range last - first {
		port = strconv.Itoa(first + int(nextPort().Add(1)%(last-first)))
		addr = net.JoinHostPort("127.0.0.1", port)
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr, port
		}
	}
	t.Fatal("no free port")
	return "", ""
}

// checked runs labnet check with --json on a command in which PORT stands for the
// port, and returns its results and exit code.
func checked(t *testing.T, task string, args, command []string) (results []check.Result, code int, stderr string) {
	t.Helper()
	addr, port := freeAddress(t)
	command = slices.Clone(command)
	for i := range command {
		command[i] = strings.ReplaceAll(command[i], "PORT", port)
	}
	return checkResults(t, slices.Concat([]string{"--lab", task, addr}, args, []string{"--"}, command))
}

// checkResults runs labnet check with --json, and returns its results and exit code.
func checkResults(t *testing.T, args []string) (results []check.Result, code int, stderr string) {
	t.Helper()
	cmd := labnetCommand(t, slices.Concat([]string{"check", "--json"}, args)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return decodeResults(t, out), code, errs.String()
}

// decodeResults reads what --json printed.
func decodeResults(t *testing.T, out []byte) (results []check.Result) {
	t.Helper()
	for line := range bytes.Lines(out) {
		var r struct {
			Op string
			check.Result
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if r.Op == "check" {
			results = append(results, r.Result)
		}
	}
	return results
}

// notPassed are the results that are no pass.
func notPassed(results []check.Result) (list []check.Result) {
	for _, r := range results {
		if r.Verdict != check.Pass {
			list = append(list, r)
		}
	}
	return list
}

// A group runs subtests at the same time, more than -parallel says: nearly all that
// labnet check does is waiting.
type group struct {
	t    *testing.T
	runs sync.WaitGroup
}

func (g *group) run(name string, test func(*testing.T)) { g.runs.Go(func() { g.t.Run(name, test) }) }

// patiently are the flags for programs that are in order, which are not to be found slow when
// the machine is busy.
var patiently = []string{"--timeout", "10s"}

var busy = flag.Bool("busy", false, "TestCheckSound and TestCheckClients run beside twice as many busy programs as there are processors")

// keepBusy has programs that do nothing but compute run beside a test, if -busy is given.
func keepBusy(t *testing.T) {
	t.Helper()
	if !*busy {
		return
	}
	for range 2 * runtime.NumCPU() {
		cmd := testCommand(t, "sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Wait() })
	}
}

// TestCheckSound: labnet's own servers pass every case, and the example programs do. With
// -count 50 and -busy it shows that no verdict depends on time.
func TestCheckSound(t *testing.T) {
	t.Parallel()
	keepBusy(t)
	all := group{t: t}
	defer all.runs.Wait()
	python, _ := pythonItself()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range []string{"1", "2", "3", "4", "5", "6", "extra"} {
		name := "task" + task + "_server.py"
		if task == "extra" {
			name = "extra_server.py"
		}
		commands := map[string][]string{"labnet": {self, "serve", "--lab", task, "-l", "127.0.0.1:PORT", "--store", "."}}
		if path, err := filepath.Abs("../examples/lab/" + name); err == nil && python != "" {
			commands["python"] = []string{python, path, "PORT"}
		}
		for kind, command := range commands {
			all.run(task+"/"+kind, func(t *testing.T) {
				results, code, stderr := checked(t, task, patiently, command)
				bad := notPassed(results)
				if task == "2" { // what cannot be told
					bad = slices.DeleteFunc(bad, func(r check.Result) bool { return r.ID == "2.threads" })
				}
				if code != 0 || len(bad) > 0 || len(results) < 4 {
					t.Errorf("exit %d, %d results, of which not passed: %+v\n%s", code, len(results), bad, stderr)
				}
			})
		}
	}
}

// TestCheckUnreached: a command that ends, and one that never listens.
func TestCheckUnreached(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	junit := filepath.Join(t.TempDir(), "report.xml")
	results, code, stderr := checked(t, "5", []string{"--junit", junit}, []string{self, "version"})
	if code != 3 || len(results) > 0 || !strings.Contains(stderr, "no connection was accepted: the command ended") {
		t.Errorf("exit %d, %v, %s", code, results, stderr)
	}
	var suite struct {
		Errors int `xml:"errors,attr"`
	}
	if err := xml.Unmarshal(readFile(t, junit), &suite); err != nil || suite.Errors != 1 {
		t.Errorf("JUnit's report has %d errors, %v", suite.Errors, err)
	}
}

// TestCheckUsage has what is wrong with a command line, and --list.
func TestCheckUsage(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{}, "--lab is missing"},
		{[]string{"--lab", "7"}, "is not a task of the course"},
		{[]string{"--lab", "5", "--only", "6.up"}, `task 5 has no case "6.up"`},
		{[]string{"--lab", "5", "--json", "--tap"}, "--tap cannot be used with --json"},
		{[]string{"--lab", "5", "--name-bytes", "3"}, "--name-bytes must be 0, 1, 2 or 4"},
		{[]string{"--lab", "5", "a:1", "b:1"}, "check takes one server"},
	} {
		cmd := labnetCommand(t, append([]string{"check"}, test.args...)...)
		out, err := cmd.CombinedOutput()
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 2 || !bytes.Contains(out, []byte(test.want)) {
			t.Errorf("%q: %v, %s", test.args, err, out)
		}
	}
	list := run(t, labnetCommand(t, "check", "--lab", "5", "--list"))
	if got, want := strings.Count(list, "\n"), len(check.List(5, false)); got != want || !strings.Contains(list, "5.pieces ") {
		t.Errorf("--list has %d lines for %d cases:\n%s", got, want, list)
	}
}

var allMutants = flag.Bool("mutants", false, "TestCheckMutants runs all mutants, each with all cases: a few minutes")

// TestCheckMutants puts mistakes of students into the example servers: a case must
// name each.
func TestCheckMutants(t *testing.T) {
	t.Parallel()
	python := findPython(t)
	examples, err := filepath.Abs("../examples/lab")
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("check/testdata/mutants.py")
	if err != nil {
		t.Fatal(err)
	}
	labnet := labnetCommand(t)
	args := []string{script, labnet.Path, examples}
	if !*allMutants {
		args = slices.Insert(args, 1, "--quick")
	}
	cmd := testCommand(t, python, args...)
	cmd.Env = labnet.Env
	if out, err := cmd.CombinedOutput(); err != nil || *allMutants {
		t.Logf("%s", out)
		if err != nil {
			t.Error(err)
		}
	}
}

// TestCheckJSON: each case is an object with all its fields, and a summary follows.
func TestCheckJSON(t *testing.T) {
	jq, err := exec.LookPath("jq")
	if err != nil {
		t.Skip("jq is not installed")
	}
	addr, _ := startServe(t, "--lab", "3", "--store", t.TempDir())
	report := run(t, labnetCommand(t, "check", "--json", "--lab", "3", "--only", "3.", addr))
	for _, holds := range []string{
		`map(select(.op == "check") | keys) | length > 8 and (unique == [["expected", "id", "op", "saw", "seconds", "sent", "task", "time", "title", "verdict", "why"]])`,
		`map(select(.op == "check")) | all(.verdict == "pass" and .task == "3" and .seconds > 0 and (.id | test("^[13]\\.[a-z0-9]+$")) and (.title, .expected, .sent | length > 0))`,
		`.[-1] | .op == "summary" and .command == "check" and .exit == 0 and .failed == 0 and .passed == .done and .not_run == 0`,
	} {
		cmd := testCommand(t, jq, "--slurp", "--exit-status", holds)
		cmd.Stdin = strings.NewReader(report)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v, %s\n%s", holds, err, out, report)
		}
	}
}

// TestCheckWritesNothing: without --dir and a command, check neither writes nor removes
// anything, also of what is called like its own files.
func TestCheckWritesNothing(t *testing.T) {
	t.Parallel()
	for task, only := range map[string]string{"5": "5.half,5.more", "6": "6.small,6.folder,6.up"} {
		t.Run(task, func(t *testing.T) {
			t.Parallel()
			addr, _ := startServe(t, "--lab", task, "--store", t.TempDir())
			cmd := labnetCommand(t, "check", "--lab", task, "--size-bytes", "types", "--only", only, addr)
			mine := filepath.Join(cmd.Dir, "labnet-check-folder")
			if err := os.Mkdir(mine, 0o700); err != nil {
				t.Fatal(err)
			}
			run(t, cmd)
			if entries, err := os.ReadDir(cmd.Dir); err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(mine) {
				t.Errorf("the folder has %v, %v", entries, err)
			}
		})
	}
}

// TestCheckClients: the example clients pass every case, and labnet's own do.
func TestCheckClients(t *testing.T) {
	t.Parallel()
	keepBusy(t)
	all := group{t: t}
	defer all.runs.Wait()
	python, _ := pythonItself()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		task   string
		python []string // {host} {port} stand before them
		labnet []string
	}{
		{"1", nil, nil},
		{"3", []string{"{value}"}, []string{"say", "{value}"}},
		{"4", []string{"{kind}", "{value}"}, nil},
		{"5", []string{"{value}"}, []string{"blob", "-s", "{value}"}},
		{"6", []string{"{value}"}, []string{"upload", "{value}"}},
		{"extra", []string{"{values}"}, []string{"upload", "{values}"}},
	} {
		commands := map[string][]string{}
		if python != "" {
			commands["python"] = slices.Concat([]string{python, exampleClient(t, test.task), "{host}", "{port}"}, test.python)
		}
		if test.labnet != nil {
			commands["labnet"] = slices.Concat([]string{self, test.labnet[0], "--lab", test.task, "-a", "{host}:{port}"}, test.labnet[1:])
		}
		for kind, command := range commands {
			all.run(test.task+"/"+kind, func(t *testing.T) {
				results, code, stderr := checkResults(t, slices.Concat([]string{"--client", "--lab", test.task, "-l", "127.0.0.1:0"}, patiently, []string{"--"}, command))
				bad := slices.DeleteFunc(notPassed(results), func(r check.Result) bool { return r.ID == "c6.split" && r.Verdict == check.CannotTell })
				if code != 0 || len(bad) > 0 || len(results) == 0 {
					t.Errorf("exit %d, %d results, of which not passed: %+v\n%s", code, len(results), bad, stderr)
				}
			})
		}
	}
}

func exampleClient(t *testing.T, task string) string {
	t.Helper()
	name := map[bool]string{false: "task" + task, true: task}[task == "extra"] + "_client.py"
	path, err := filepath.Abs(filepath.Join("../examples/lab", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// clientMutants are mistakes of students, each put into a sound example client: the case
// that is about it, and what it finds.
var clientMutants = []struct {
	task, old, student string
	id                 string
	verdict            check.Verdict
	why                string // or where it stands in what was seen
}{
	{"1", "create_connection(address):", "create_connection(address) as connection:\n            connection.recv(10)[0]", "c1", check.Fail, "IndexError"},

	{"3", "args.text.encode()", `args.text.encode("latin-1", "replace")`, "c3.text", check.Fail, "utf-8"},
	{"3", "args.text.encode()", `args.text.encode("ascii", "ignore")`, "c3.text", check.Fail, "utf-8"},
	{"3", "args.text.encode()", `(args.text + "\n").encode()`, "c3.text", check.Warn, "a newline"},
	{"3", "sendall(text)", `sendall(b"\x01" + text)`, "c3.text", check.Fail, "task 3 has no type"},
	{"3", "if len(text) > 4096:", "if len(args.text) > 4096:", "c3.long", check.Warn, "encode()[:4096]"},
	{"3", "answer += part", "answer += part.decode().encode()", "c3.cut", check.Warn, "UnicodeDecodeError"},
	{"3", "if not args.no_reply:", "if False:", "c3.read", check.CannotTell, "did not read the answer"},

	{"4", `kind, body = b"\x01"`, `kind, body = b"1"`, "c4.type", check.Fail, "not a character"},
	{"4", `kind, body = b"\x01"`, `kind, body = b"\x00"`, "c4.type", check.Fail, "00 68 65 6c 6c 6f"},
	{"4", "        connection.send(kind)\n", "", "c4.type", check.Fail, `"hello"the type as one byte`},
	{"4", "args.value.encode()", `(args.value + "\n").encode()`, "c4.type", check.Warn, "a newline"},
	{"4", `kind, body = b"\x02"`, `kind, body = b"\x03"`, "c4.random", check.Fail, "the type as one byte"},
	{"4", "os.urandom(int(args.value))", "args.value.encode()", "c4.random", check.Fail, "02, 4 bytes"},
	{"4", "        connection.sendall(body)\n", "        connection.sendall(body)\n        connection.recv(1)\n", "c4.end", check.Fail, "close()"},

	{"5", "max(1, (args.size.bit_length() + 7) // 8)", "(1 if args.size <= 256 else 2)", "c5.256", check.Fail, "n < 256"},
	{"5", "max(1, (args.size.bit_length() + 7) // 8)", "(1 if args.size < 256 else 2)", "c5.65536", check.Fail, "n < 65536"},
	{"5", "max(1, (args.size.bit_length() + 7) // 8)", "(args.size.bit_length() + 7) // 8", "c5.0", check.Fail, "a type of 2 to 9"},
	{"5", "        connection.send(size)\n", "", "c5.255", check.Fail, "no size was sent"},
	{"5", "sys.byteorder", `"big"`, "c5.256", check.Warn, "big-endian"},
	{"5", "kind = bytes([1 + width])", "kind = bytes([2])", "c5.256", check.Warn, "2 to 9"},
	{"5", "kind = bytes([1 + width])", "kind = str(1 + width).encode()", "c5.1", check.Fail, "not a character"},
	{"5", "args.size.to_bytes", "(args.size + 1).to_bytes", "c5.1", check.Fail, "says a size of 2 bytes, and 1 byte came|send() may send fewer"},
	{"5", "sendall(body)\nprint", "sendall(body[:-1])\nprint", "c5.255", check.Fail, "send() may send fewer"},

	{"6", `!= b"OK"`, `== b""`, "c6.no", check.Fail, "if answer"},
	{"6", "if (answer := connection.recv(4096)) != b\"OK\"", "if False", "c6.wait", check.Fail, "recv() the answer"},
	{"6", `file.read()`, `file.read().strip(b"\xff")`, "c6.bytes", check.Fail, "|bytes"},
	{"6", `open(path, "rb") as file:`, `open(path, encoding="utf-8") as file:`, "c6.bytes", check.Fail, "UnicodeDecodeError"},
	{"6", "os.path.basename(path)", "path", "c6.bytes", check.Warn, "os.path.basename"},
	{"6", `            connection.send(b"\x01")` + "\n", "", "c6.bytes", check.Fail, "bytes([1])"},
	{"6", "connection.send(name.encode())", `connection.send(len(name).to_bytes(2, "little") + name.encode())`, "c6.bytes", check.Warn, "--name-bytes"},
	{"6", "max(1, (len(body).bit_length() + 7) // 8)", "1 if len(body) <= 256 else 3", "c6.256", check.Fail, "n < 256|OverflowError"},
	{"6", "            connection.sendall(body)\n", "            connection.sendall(body[:4096])\n", "c6.65536", check.Fail, "sendall()"},
	{"6", `sys.exit(f"{name}: the server answered {answer}")`, "raise RuntimeError(answer)", "c6.gone", check.Warn, "RuntimeError"},
	{"6", `sys.exit(f"{name}: the server answered {answer}")`, "raise RuntimeError(answer)", "c6.no", check.Warn, "RuntimeError"},

	{"extra", connectOnce, "for path in args.files:\n    with socket.create_connection((args.host, args.port)) as connection:\n", "cx.reuse", check.Fail, "connect() once"},
	{"extra", `            connection.send(b"\x01")` + "\n", `            connection.send(b"\x01" if path == args.files[0] else b"")` + "\n", "cx.reuse", check.Fail, "bytes([1])"},
	{"extra", "if (answer :=", "if path == args.files[0] and (answer :=", "cx.reuse", check.Fail, "recv() the answer"},
}

const connectOnce = "with socket.create_connection((args.host, args.port)) as connection:\n    for path in args.files:\n"

// TestCheckBrokenClients: the case that is about a mistake of a student names it.
func TestCheckBrokenClients(t *testing.T) {
	t.Parallel()
	all := group{t: t}
	defer all.runs.Wait()
	python := findPython(t)
	for i, test := range clientMutants {
		all.run(fmt.Sprintf("%d/%s", i, test.id), func(t *testing.T) {
			source := string(readFile(t, exampleClient(t, test.task)))
			if !strings.Contains(source, test.old) {
				t.Fatalf("the example has no %q", test.old)
			}
			program := filepath.Join(t.TempDir(), "client.py")
			if err := os.WriteFile(program, []byte(strings.ReplaceAll(source, test.old, test.student)), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"--client", "--lab", test.task, "-l", "127.0.0.1:0", "--only", test.id, "--", python, program, "{host}", "{port}"}
			switch test.task {
			case "1":
			case "4":
				args = append(args, "{kind}", "{values}")
			default:
				args = append(args, "{values}")
			}
			results, code, stderr := checkResults(t, args)
			if want := map[check.Verdict]int{check.Fail: 1}[test.verdict]; code != want || len(results) != 1 || results[0].Verdict != test.verdict {
				t.Fatalf("exit %d, %+v\n%s", code, results, stderr)
			}
			if !slices.ContainsFunc(strings.Split(test.why, "|"), func(why string) bool { return strings.Contains(results[0].Saw+results[0].Why, why) }) {
				t.Errorf("%s: %q, %q", test.student, results[0].Saw, results[0].Why)
			}
		})
	}
}

// TestCheckTypes: a client that asks gets what --type says typed, and its result counts.
func TestCheckTypes(t *testing.T) {
	t.Parallel()
	python := findPython(t)
	dir := t.TempDir()
	program, lines := filepath.Join(dir, "client.py"), filepath.Join(dir, "lines")
	for name, text := range map[string]string{
		lines: "{type}\n{value}\n",
		program: `import os, socket, sys
kind, value = input("1 text, 2 random: "), input("what: ")
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    connection.sendall(bytes([int(kind)]) + (value.encode() if kind == "1" else os.urandom(int(value))))
input("again? ")
`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	results, code, stderr := checkResults(t, []string{"--client", "--lab", "4", "-l", "127.0.0.1:0", "--only", "c4.type,c4.random", "--type", lines,
		"--", python, program, "{host}", "{port}"})
	if bad := notPassed(results); code != 0 || len(results) != 2 || len(bad) > 0 {
		t.Errorf("exit %d, %d results, of which not passed: %+v\n%s", code, len(results), bad, stderr)
	}
}
