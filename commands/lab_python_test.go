package commands_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// labTests are the tasks of the lab: in each, every client must get along with
// every server, whether labnet plays it or the example program.
var labTests = []struct {
	name, task string
	recognised bool     // by a labnet serve that was not told --lab
	variants   []string // options of the example client
	converse   func(*testing.T, labClient, *labServer)
}{
	{"task1", "1", false, nil, labPing},
	{"task2", "2", false, nil, labPing},
	{"task3", "3", true, []string{"--no-reply"}, labSay},
	{"task4-text", "4", true, []string{"--joined"}, labText},
	{"task4-random", "4", false, []string{"--joined"}, labRandom},
	{"task5", "5", true, []string{"--joined", "--width=8"}, labBlob},
	{"task5-text", "5", false, nil, labTypedText},
	{"task6", "6", true, []string{"--joined"}, labUpload},
	{"extra", "extra", true, []string{"--joined"}, labUpload},
}

func TestLab(t *testing.T) {
	python := findPython(t)
	for _, test := range labTests {
		servers := map[string]func(*testing.T) *labServer{
			"python":     func(t *testing.T) *labServer { return startPythonServer(t, python, test.task) },
			"labnet-lab": func(t *testing.T) *labServer { return startLabnetServer(t, "--lab", test.task) },
		}
		if test.recognised {
			servers["labnet"] = func(t *testing.T) *labServer { return startLabnetServer(t) }
		}
		clients := map[string]labClient{
			"labnet": {task: test.task},
			"python": {task: test.task, python: python},
		}
		for _, option := range test.variants {
			clients["python"+option] = labClient{task: test.task, python: python, option: option}
		}
		for clientName, client := range clients {
			for serverName, start := range servers {
				t.Run(test.name+"/"+clientName+"-to-"+serverName, func(t *testing.T) {
					t.Parallel()
					test.converse(t, client, start(t))
				})
			}
		}
	}
}

func labPing(t *testing.T, client labClient, server *labServer) {
	stdout := client.run(t, server, []string{"ping", "-c", "3", "-i", "10ms"}, nil)
	reply := "(?m)^reply from " + regexp.QuoteMeta(server.addr) + `: seq=\d+ time=\d.* ms$`
	if client.python != "" {
		reply = "(?m)^connected to " + regexp.QuoteMeta(server.addr) + "$"
	}
	if got := len(regexp.MustCompile(reply).FindAllString(stdout, -1)); got != 3 {
		t.Errorf("%d of 3 replies:\n%s", got, stdout)
	}
	for range 3 {
		server.await(t, "ping")
	}
}

func labSay(t *testing.T, client labClient, server *labServer) {
	for _, text := range []string{"hi", "Grüße, 世界", strings.Repeat("x", 4096)} {
		stdout := client.run(t, server, []string{"say", text}, []string{text})
		if want := "Message: " + text + "\n"; client.option != "--no-reply" && stdout != want {
			t.Errorf("the client printed %.40q, want %.40q", stdout, want)
		}
		if got := server.await(t, "say").Text; got != text {
			t.Errorf("the server received %.40q, want %.40q", got, text)
		}
	}
}

func labText(t *testing.T, client labClient, server *labServer) {
	for _, text := range []string{"hello", "grüße, 世界", strings.Repeat("x", 2000)} {
		client.run(t, server, []string{"say", text}, []string{"text", text})
		if got := server.await(t, "say").Text; got != text {
			t.Errorf("the server received %.40q, want %.40q", got, text)
		}
	}
	if names := server.files(t); len(names) > 0 {
		t.Errorf("files remain of texts: %q", names)
	}
}

// labTypedText sends a text as Task 4 does, whoever the client is: Task 5 has them
// still. The server ends the conversation, and does not reset it.
func labTypedText(t *testing.T, client labClient, server *labServer) {
	if client.python == "" {
		client.run(t, server, []string{"say", "hello"}, nil)
		if got := server.await(t, "say").Text; got != "hello" {
			t.Errorf("the server received %q", got)
		}
		return
	}
	if rest, err := talk(server.addr, "\x01hello"); err != nil || rest != "" {
		t.Errorf("the server answered %q, %v", rest, err)
	}
	if got := server.await(t, "say").Text; got != "hello" {
		t.Errorf("the server received %q", got)
	}
}

// talk sends bytes, ends its stream, and returns all that comes.
func talk(addr, says string) (string, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, says); err != nil {
		return "", err
	}
	conn.(*net.TCPConn).CloseWrite()
	rest, err := io.ReadAll(conn)
	return string(rest), err
}

func labRandom(t *testing.T, client labClient, server *labServer) {
	for _, size := range []int{1, 70_000} {
		stdout := client.run(t, server,
			[]string{"blob", "-s", fmt.Sprint(size)}, []string{"random", fmt.Sprint(size)})
		server.awaitRandom(t, size, stdout)
	}
}

func labBlob(t *testing.T, client labClient, server *labServer) {
	for _, size := range []int{0, 255, 256, 70_000} {
		stdout := client.run(t, server, []string{"blob", "-s", fmt.Sprint(size)}, []string{fmt.Sprint(size)})
		server.awaitRandom(t, size, stdout)
	}
}

func labUpload(t *testing.T, client labClient, server *labServer) {
	want, paths := makeFiles(t, map[string]int{"a.bin": 255, "b c.bin": 256, "grüße.pdf": 70_000, "empty": 0})
	client.run(t, server, append([]string{"upload"}, paths...), paths)

	got := map[string][]byte{}
	for range want {
		file := server.await(t, "file")
		got[file.Name] = readFile(t, file.Path)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-sent +saved):\n%s", diff)
	}
	if names := server.files(t); len(names) != len(want) {
		t.Errorf("the server keeps %q", names)
	}
}

// TestLabIncomplete sends fewer bytes than it promises (Task 5).
func TestLabIncomplete(t *testing.T) {
	python := findPython(t)
	for name, start := range map[string]func(*testing.T) *labServer{
		"python":     func(t *testing.T) *labServer { return startPythonServer(t, python, "5") },
		"labnet-lab": func(t *testing.T) *labServer { return startLabnetServer(t, "--lab", "5") },
		"labnet":     func(t *testing.T) *labServer { return startLabnetServer(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			short := labClient{task: "5", python: python, option: "--short=10"}
			short.run(t, server, nil, []string{"1000"})
			whole := labClient{task: "5", python: python}
			server.awaitRandom(t, 500, whole.run(t, server, nil, []string{"500"}))
			if names := server.files(t); len(names) != 1 {
				t.Errorf("the server keeps %q, want only the file of which every byte came", names)
			}
		})
	}
}

// TestExampleClient holds examples/client.py, written from the specification
// alone, against labnet serve.
func TestExampleClient(t *testing.T) {
	python := findPython(t)
	server := startLabnetServer(t)
	client := func(args ...string) string {
		return run(t, pythonCommand(t, python, "client.py", append(hostPort(t, server.addr), args...)...))
	}
	table := crc64.MakeTable(0x9a6c9329ac4bc9b5) // CRC-64/NVME
	line := func(name string, contents []byte) string {
		return fmt.Sprintf("%s %d %016x\n", name, len(contents), crc64.Checksum(contents, table))
	}

	if got := client("say", "Grüße"); got != "Message: Grüße\n" {
		t.Errorf("say: %q", got)
	}
	if got := server.await(t, "say").Text; got != "Grüße" {
		t.Errorf("say: the server received %q", got)
	}
	longest := strings.Repeat("x", 4096)
	if got := client("say", longest); got != "Message: "+longest+"\n" {
		t.Errorf("say: an answer of %d bytes to one of %d", len(got), len(longest))
	}
	server.await(t, "say")

	for _, size := range []int{0, 300, 70_000} {
		got := client("blob", fmt.Sprint(size))
		file := server.await(t, "file")
		if want := line(file.Name, readFile(t, file.Path)); got != want {
			t.Errorf("blob: %q, want %q", got, want)
		}
	}

	// END is a word of the protocol, but a file may be called so.
	files, paths := makeFiles(t, map[string]int{"empty": 0, "END": 3, "report.pdf": 200_000})
	for _, again := range []bool{false, true} { // the second time, all of it is there already
		var want strings.Builder
		for _, path := range paths {
			name := filepath.Base(path)
			if again {
				fmt.Fprintf(&want, "%s %d unchanged\n", name, len(files[name]))
			} else {
				want.WriteString(line(name, files[name]))
			}
		}
		if diff := cmp.Diff(want.String(), client(append([]string{"upload"}, paths...)...)); diff != "" {
			t.Errorf("upload (-want +got):\n%s", diff)
		}
		for range paths {
			file := server.await(t, "file")
			if !bytes.Equal(readFile(t, file.Path), files[file.Name]) {
				t.Errorf("upload: %s is not what was sent", file.Name)
			}
		}
	}
	if names := server.files(t); len(names) != 3+len(files) {
		t.Errorf("the server keeps %q", names)
	}
}

// TestLabServersLive: no client ends an example server, or keeps others waiting.
func TestLabServersLive(t *testing.T) {
	python := findPython(t)
	for _, test := range []struct {
		task     string
		bad      []string
		converse func(*testing.T, labClient, *labServer)
	}{
		{"3", []string{"caf\xe9\xff"}, labSay},
		{"4", []string{"\x01caf\xe9\xff", "\x02", "\xc8", ""}, labText},
		{"5", []string{"\x01caf\xe9\xff", "\x03\x00", "\xc8", "\x05\xff\xff\xff\xff1234567890"}, labTypedText},
		{"6", []string{"\x01caf\xe9\xff", "\x01a\x00b", "\x01..", "\x01/", "\xc8"}, labUpload},
		{"extra", []string{"\x01caf\xe9\xff", "\x01a\x00b", "\x01..", "\x01/", "\xc8"}, labUpload},
	} {
		t.Run(test.task, func(t *testing.T) {
			t.Parallel()
			server := startPythonServer(t, python, test.task)
			silent, err := net.Dial("tcp", server.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			for _, bad := range test.bad {
				talk(server.addr, bad) // whatever comes of it
			}
			for _, entry := range server.files(t) {
				os.Remove(filepath.Join(server.dir, entry))
			}
			test.converse(t, labClient{task: test.task, python: python}, server)
		})
	}
}

// TestLabMistakes: what is not there is told in a line.
func TestLabMistakes(t *testing.T) {
	python := findPython(t)
	missing := filepath.Join(t.TempDir(), "missing")
	servers := startLabnetServer(t, "--lab", "extra")
	for _, command := range [][]string{
		{"lab/task4_server.py", "0", missing},
		{"lab/task5_server.py", "0", missing},
		{"lab/task6_server.py", "0", missing},
		{"lab/extra_server.py", "0", missing},
		append(append([]string{"lab/task6_client.py"}, hostPort(t, servers.addr)...), missing),
		append(append([]string{"lab/extra_client.py"}, hostPort(t, servers.addr)...), missing),
	} {
		stderr, code := fail(t, pythonCommand(t, python, command[0], command[1:]...))
		if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, missing) {
			t.Errorf("%s: exit %d, %s", command[0], code, stderr)
		}
	}
}

// A labClient is labnet with --lab, or an example program if python is set.
type labClient struct {
	task   string
	python string
	option string
}

// run runs the client with the arguments meant for it, and returns its stdout.
func (c labClient) run(t *testing.T, server *labServer, labnetArgs, pythonArgs []string) string {
	t.Helper()
	if c.python == "" {
		args := append([]string{labnetArgs[0], "-a", server.addr, "--lab", c.task}, labnetArgs[1:]...)
		return run(t, labnetCommand(t, args...))
	}
	program := map[string]string{
		"1": "task1", "2": "task1", // the clients of both are the same
		"3": "task3", "4": "task4", "5": "task5", "6": "task6", "extra": "extra",
	}[c.task] + "_client.py"
	args := append(hostPort(t, server.addr), pythonArgs...)
	if c.option != "" {
		args = append([]string{c.option}, args...)
	}
	cmd := pythonCommand(t, c.python, "lab/"+program, args...)
	cmd.Stdin = strings.NewReader("\n\n\n") // Enter, for Task 1
	return run(t, cmd)
}

// A labServer is labnet serve or an example program, with what it tells on stdout.
type labServer struct {
	addr, dir string
	lines     <-chan string
	parse     func(dir, line string) receipt
}

// A receipt is what a server tells of one thing received. Blobs and uploads
// are both "file" here.
type receipt struct {
	Op, Remote, Text, Name, Path string
}

func startLabnetServer(t *testing.T, args ...string) *labServer {
	t.Helper()
	dir := t.TempDir()
	addr, lines := startServe(t, append([]string{"--json", "--store", dir}, args...)...)
	return &labServer{addr, dir, lines, func(_, line string) (r receipt) {
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("serve --json printed %q: %v", line, err)
		}
		if r.Op == "blob" || r.Op == "upload" {
			r.Op = "file"
		}
		return r
	}}
}

func startPythonServer(t *testing.T, python, task string) *labServer {
	t.Helper()
	program := "lab/task" + task + "_server.py"
	if task == "extra" {
		program = "lab/extra_server.py"
	}
	dir := t.TempDir()
	lines := start(t, pythonCommand(t, python, program, "0", dir))
	port, ok := strings.CutPrefix(nextLine(t, lines), "listening on ")
	if !ok {
		t.Fatalf("%s does not say its port", program)
	}
	return &labServer{net.JoinHostPort("127.0.0.1", port), dir, lines, parsePythonLine}
}

var (
	connectionLine = regexp.MustCompile(`^connection from (\S+:\d+)$`)
	messageLine    = regexp.MustCompile(`^message from (\S+): (.*)$`)
	savedLine      = regexp.MustCompile(`^saved (.*), \d+ bytes from (\S+)$`)
)

func parsePythonLine(dir, line string) receipt {
	if m := connectionLine.FindStringSubmatch(line); m != nil {
		return receipt{Op: "ping", Remote: m[1]}
	}
	if m := messageLine.FindStringSubmatch(line); m != nil {
		return receipt{Op: "say", Remote: m[1], Text: m[2]}
	}
	if m := savedLine.FindStringSubmatch(line); m != nil {
		return receipt{Op: "file", Remote: m[2], Name: m[1], Path: filepath.Join(dir, m[1])}
	}
	return receipt{}
}

// await returns the next receipt of that kind.
func (s *labServer) await(t *testing.T, op string) receipt {
	t.Helper()
	for {
		r := s.parse(s.dir, nextLine(t, s.lines))
		if r.Op != op {
			continue
		}
		if !strings.HasPrefix(r.Remote, "127.0.0.1") {
			t.Errorf("the server saw it come from %q", r.Remote)
		}
		return r
	}
}

var (
	randomName = regexp.MustCompile(`^[0-9A-Za-z]{8}\.bin$`)
	sentLine   = regexp.MustCompile(`sha256 ([0-9a-f]{64})`)
)

// awaitRandom waits for random bytes; if the client's output tells their
// digest, they must have it.
func (s *labServer) awaitRandom(t *testing.T, size int, stdout string) {
	t.Helper()
	file := s.await(t, "file")
	if name := filepath.Base(file.Path); !randomName.MatchString(name) {
		t.Errorf("random bytes were saved as %q", name)
	}
	contents := readFile(t, file.Path)
	if len(contents) != size {
		t.Errorf("%d bytes were saved, want %d", len(contents), size)
	}
	if m := sentLine.FindStringSubmatch(stdout); m != nil && m[1] != fmt.Sprintf("%x", sha256.Sum256(contents)) {
		t.Error("what was saved is not what was sent")
	}
}

// files returns the names of the finished files: what is in progress is hidden.
func (s *labServer) files(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names
}

func findPython(t *testing.T) string {
	t.Helper()
	python, err := pythonItself()
	if err != nil {
		t.Skipf("python3 not found: %v", err)
	}
	return python
}

// pythonItself returns the interpreter and not a script that looks for it, as version managers
// have: that takes longer each time than most programs here.
var pythonItself = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

// pythonCommand returns a program of examples/ with arguments, not yet started.
func pythonCommand(t *testing.T, python, program string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "examples", filepath.FromSlash(program)))
	if err != nil {
		t.Fatal(err)
	}
	cmd := testCommand(t, python, append([]string{path}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1")
	return cmd
}

func hostPort(t *testing.T, addr string) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return []string{host, port}
}

// makeFiles makes files of random bytes.
func makeFiles(t *testing.T, sizes map[string]int) (contents map[string][]byte, paths []string) {
	t.Helper()
	dir := t.TempDir()
	random := rand.NewChaCha8([32]byte{})
	contents = map[string][]byte{}
	for name, size := range sizes {
		body := make([]byte, size)
		random.Read(body)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		contents[name], paths = body, append(paths, path)
	}
	return contents, paths
}
