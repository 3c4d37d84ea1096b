package commands_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	qrcode "github.com/skip2/go-qrcode"
	"golang.org/x/sys/unix"

	"github.com/labnet/labnet/commands/invite"
)

// A guest is a user of this machine with a home, in a network of its own.
type guest struct {
	uid     uint32
	home    string
	program string
	net     *os.File // the namespace
}

// start starts a command as the guest.
func (g guest) start(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	cmd.Path, cmd.Dir = g.program, g.home
	cmd.Env = append(cmd.Env, "HOME="+g.home, "XDG_CONFIG_HOME=", "XDG_STATE_HOME=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: g.uid, Gid: g.uid}}
	started := make(chan *program)
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread ends with its network
		if err := unix.Setns(int(g.net.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		started <- launch(t, cmd)
	}()
	return <-started
}

// run is start up to the end, which must be a success.
func (g guest) run(t *testing.T, stdin string, args ...string) *program {
	t.Helper()
	cmd := labnetCommand(t, args...)
	cmd.Stdin = strings.NewReader(stdin)
	p := g.start(t, cmd)
	if err := p.wait(); err != nil {
		t.Fatalf("labnet %s: %v\n%s", strings.Join(args, " "), err, &p.stderr)
	}
	return p
}

// guests returns two users in two networks between which there is one cable. The first
// one is at 10.99.0.1.
func guests(t *testing.T) (server, client guest) {
	t.Helper()
	ip, err := exec.LookPath("ip")
	if os.Getuid() != 0 || err != nil {
		t.Skip("only root can lay a cable between two networks, with ip of iproute2")
	}
	dir := must(os.MkdirTemp("", "labnet")) // t.TempDir is for its owner only
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "labnet")
	if err := errors.Join(os.WriteFile(file, readFile(t, must(os.Executable())), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	both := make([]guest, 2)
	var holders [2]*exec.Cmd // whose networks they are
	for i := range both {
		both[i] = guest{uid: uint32(12001 + i), home: filepath.Join(dir, string(rune('a'+i))), program: file}
		holder := exec.CommandContext(t.Context(), "cat")
		holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		hold := must(holder.StdinPipe())
		if err := holder.Start(); err != nil {
			t.Skip("no network namespace to be had: ", err)
		}
		t.Cleanup(func() { hold.Close(); holder.Wait() })
		holders[i] = holder
		both[i].net = must(os.Open(filepath.Join("/proc", itoa(holder.Process.Pid), "ns/net")))
		t.Cleanup(func() { both[i].net.Close() })
		if err := errors.Join(os.Mkdir(both[i].home, 0o700), os.Chown(both[i].home, 12001+i, 12001+i)); err != nil {
			t.Fatal(err)
		}
	}
	pid := func(i int) string { return itoa(holders[i].Process.Pid) }
	for _, line := range []string{
		"0 link add cable type veth peer name cable netns " + pid(1),
		"0 addr add 10.99.0.1/24 dev cable", "1 addr add 10.99.0.2/24 dev cable",
		"0 link set cable up", "1 link set cable up", "0 link set lo up", "1 link set lo up",
	} {
		words := strings.Fields(line)
		enter := append([]string{"--net=/proc/" + pid(int(words[0][0]-'0')) + "/ns/net", ip}, words[1:]...)
		if out, err := exec.Command("nsenter", enter...).CombinedOutput(); err != nil {
			t.Skipf("no cable between two networks: %s: %v: %s", line, err, out)
		}
	}
	return both[0], both[1]
}

func itoa(n int) string { return strconv.Itoa(n) }

// session returns the commands of the worked session in docs/network.md, each with the
// machine before it.
func session(t *testing.T) []string {
	t.Helper()
	_, text, _ := strings.Cut(string(readFile(t, filepath.Join("..", "docs", "network.md"))), "## One worked session")
	text, _, _ = strings.Cut(text, "\n### ")
	return regexp.MustCompile(`(?m)^(server|alice)\$ labnet .*$`).FindAllString(text, -1)
}

// TestFirstFile does what docs/network.md says, from nothing to the first file from
// another machine, as two users in two networks: it takes four commands and one string
// that is copied. While it goes on, no argument, environment, log or message has the
// secret.
func TestFirstFile(t *testing.T) {
	server, client := guests(t)
	commands := session(t)
	copied, secrets := 0, []string{}
	var said strings.Builder // all that is logged or shown, except for the invitation
	var receiver *program
	for _, line := range commands {
		who, line, _ := strings.Cut(line, "$ labnet ")
		args := strings.Fields(strings.Replace(line, "lab.example.org", "10.99.0.1", 1))
		switch {
		case who == "server" && args[0] == "invite":
			p := server.run(t, "", args...)
			inv, err := invite.Decode(p.stdout.String())
			if err != nil {
				t.Fatal(err)
			}
			line, _, _ := strings.Cut(p.stdout.String(), "\n")
			secrets = []string{line, inv.Token}
			said.WriteString(p.stderr.String())
		case who == "server" && args[0] == "serve":
			cmd := labnetCommand(t, append(args, "--addr-file", "addr", "--no-sandbox", "--exec", "env")...)
			receiver = server.start(t, cmd)
			awaitFile(t, filepath.Join(server.home, "addr"))
		case who == "alice" && args[0] == "join":
			cmd := labnetCommand(t, args...)
			paste := must(cmd.StdinPipe())
			p := client.start(t, cmd)
			io.WriteString(paste, secrets[0][:100])
			lookForSecrets(t, secrets, "join")
			io.WriteString(paste, secrets[0][100:]+"\n")
			paste.Close()
			copied++
			if err := p.wait(); err != nil {
				t.Fatalf("%v: %s", err, &p.stderr)
			}
			said.WriteString(p.stdout.String() + p.stderr.String())
		case who == "alice" && args[0] == "upload":
			if err := errors.Join(os.WriteFile(filepath.Join(client.home, args[1]), []byte("a report"), 0o644)); err != nil {
				t.Fatal(err)
			}
			p := client.run(t, "", args...)
			said.WriteString(p.stdout.String() + p.stderr.String())
		default:
			t.Fatalf("%s: labnet %s", who, line)
		}
	}
	if len(commands) > 4 || copied != 1 {
		t.Errorf("%d commands and %d copied strings: %q", len(commands), copied, commands)
	}
	if got := readFile(t, filepath.Join(server.home, "received", "report.pdf")); string(got) != "a report" {
		t.Errorf("received %q", got)
	}

	// A child of a client, which is given neither, while it runs.
	child := labnetCommand(t, "upload", "--name", "env", "--from-command", "--", "sh", "-c", "env; cat")
	stdin := must(child.StdinPipe())
	p := client.start(t, child)
	lookForSecrets(t, secrets, "--from-command")
	stdin.Close()
	if err := p.wait(); err != nil {
		t.Fatalf("%v: %s", err, &p.stderr)
	}
	said.WriteString(p.stderr.String() + string(readFile(t, filepath.Join(server.home, "received", "env"))))

	receiver.cmd.Process.Signal(syscall.SIGTERM)
	receiver.wait()
	said.WriteString(receiver.stdout.String() + receiver.stderr.String())
	listed := server.run(t, "", "users").stdout.String() + client.run(t, "", "servers").stdout.String()
	if !regexp.MustCompile(`(?m)^alice .* seen 20`).MatchString(listed) {
		t.Errorf("listed %s", listed)
	}
	for _, secret := range secrets {
		if strings.Contains(said.String()+listed, secret) {
			t.Errorf("the secret was shown:\n%s%s", said.String(), listed)
		}
	}
	if !strings.Contains(said.String(), "LABNET_USER=alice") {
		t.Errorf("the command's environment is not in the log:\n%s", said.String())
	}
	saved := must(os.Stat(filepath.Join(client.home, ".config", "labnet", "servers.json")))
	if saved.Mode().Perm() != 0o600 {
		t.Errorf("the servers have the mode %v", saved.Mode())
	}
}

// TestRootInvites: what root makes in the store of another user is that user's, who can
// serve with it.
func TestRootInvites(t *testing.T) {
	server, client := guests(t)
	store := filepath.Join(server.home, "store")
	if err := errors.Join(os.Mkdir(store, 0o700), os.Chown(store, int(server.uid), int(server.uid))); err != nil {
		t.Fatal(err)
	}
	line := run(t, labnetCommand(t, "invite", "bob", "--at", "10.99.0.1", "--store", store))
	server.start(t, labnetCommand(t, "serve", "-l", ":9000", "--store", "store", "--addr-file", "addr"))
	awaitFile(t, filepath.Join(server.home, "addr"))
	run(t, labnetCommand(t, "invite", "carol", "--at", "10.99.0.1", "--store", store))
	client.run(t, line, "join")
	client.run(t, "", "say", "hello")
	server.run(t, "", "revoke", "carol", "--store", "store")
}

// lookForSecrets fails if a process has a secret in its arguments or its environment. It
// waits until there is one with a certain argument.
func lookForSecrets(t *testing.T, secrets []string, argument string) {
	t.Helper()
	for found := false; !found; {
		processes := must(filepath.Glob("/proc/[0-9]*"))
		for _, process := range processes {
			for _, file := range []string{"cmdline", "environ"} {
				text, _ := os.ReadFile(filepath.Join(process, file)) // it may have ended
				found = found || file == "cmdline" && slices.Contains(strings.Split(string(text), "\x00"), argument)
				for _, secret := range secrets {
					if bytes.Contains(text, []byte(secret)) {
						t.Errorf("%s/%s has the secret", process, file)
					}
				}
			}
		}
	}
}

// TestJoinOnTerminal: what is pasted is shown nowhere, may be wrapped, and is asked for
// again if it is wrong, so that no rest of it gets into the shell.
func TestJoinOnTerminal(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	run(t, labnetCommand(t, "invite", "bob", "--at", "127.0.0.1:1", "--store", store))
	addr, _ := startServe(t, "--store", store, "--tls", "--tokens", filepath.Join(store, ".labnet", "access", "tokens"))
	line, links, _ := strings.Cut(run(t, labnetCommand(t, "invite", "alice", "--at", addr, "--store", store)), "\n")
	cmd := labnetCommand(t, "join")
	cmd.Env = append(cmd.Env, "HOME="+cmd.Dir, "XDG_CONFIG_HOME=")
	p := sitDown(t, cmd)
	p.awaits(t, "invitation (it is not shown): ")
	wrong := strings.Replace(line, line[40:44], "0u00", 1)
	p.types(t, "Hello Alice,\r"+wrong+"\r"+line[:60]+"\r"+line[60:120]+"\r"+line[120:]+"\r"+strings.ReplaceAll(links, "\n", "\r"))
	shown := p.ends(t, cmd)
	if !strings.Contains(shown, "this is not an invitation") || !strings.Contains(shown, "typing error") || !strings.Contains(shown, "joined 127.0.0.1 as alice") {
		t.Errorf("the terminal shows %q", shown)
	}
	for _, part := range []string{"Hello", line[8:24], line[60:76], line[len(line)-16:], "curl"} {
		if strings.Contains(shown, part) {
			t.Errorf("the terminal shows %q of the invitation: %q", part, shown)
		}
	}
	if p.after != p.before {
		t.Errorf("the terminal is left as %+v, was %+v", p.after, p.before)
	}
	if p.unread > 0 {
		t.Errorf("%d bytes of what was pasted are for the shell", p.unread)
	}
}

// TestInviteOnTerminal: a person with a camera gets the link as a QR code, if it fits.
func TestInviteOnTerminal(t *testing.T) {
	for term, drawn := range map[string]bool{"xterm": true, "dumb": false} {
		cmd := labnetCommand(t, "invite", "alice", "--at", "lab.example.org")
		shown := sitDownAs(t, cmd, term).ends(t, cmd)
		link := regexp.MustCompile(`https://lab\.example\.org:9000/#\S{43}`).FindString(shown)
		if link == "" || !cmd.ProcessState.Success() {
			t.Fatalf("%v, and shown: %q", cmd.ProcessState, shown)
		}
		code := must(qrcode.New(link, qrcode.Low)).Bitmap()
		var got [][]bool
		for _, row := range regexp.MustCompile(`\x1b\[38;5;16;48;5;231m([ ▀▄█]*)\x1b\[0m`).FindAllStringSubmatch(shown, -1) {
			var upper, lower []bool
			for _, c := range row[1] {
				upper, lower = append(upper, c == '▀' || c == '█'), append(lower, c == '▄' || c == '█')
			}
			got = append(got, upper, lower)
		}
		if drawn && (len(got) != len(code)+1 || !slices.EqualFunc(got[:len(code)], code, slices.Equal)) || !drawn && got != nil {
			t.Errorf("%s: the code is not that of %s:\n%s", term, link, shown)
		}
	}
}

// TestJoinOnDumbTerminal: what is pasted is not shown either where the terminal edits lines by
// itself, and Ctrl-C leaves it as it was.
func TestJoinOnDumbTerminal(t *testing.T) {
	for _, key := range []string{"\x03", "\x04"} {
		cmd := labnetCommand(t, "join")
		cmd.Env = append(cmd.Env, "HOME="+cmd.Dir, "XDG_CONFIG_HOME=")
		p := sitDownAs(t, cmd, "dumb")
		p.awaits(t, "invitation (it is not shown): ")
		p.types(t, "labnet1-01ng\rrest\r")
		shown := p.awaits(t, "and the rest of it: ") + p.awaits(t, "and the rest of it: ")
		p.types(t, key)
		if shown += p.ends(t, cmd); strings.Contains(shown, "01ng") || strings.Contains(shown, "rest") {
			t.Errorf("the terminal shows %q", shown)
		}
		if p.after != p.before {
			t.Errorf("%q: the terminal is left as %+v, was %+v", key, p.after, p.before)
		}
		if cmd.ProcessState.Success() {
			t.Errorf("%q: success", key)
		}
	}
}

// TestJoinInterrupted: Ctrl-C and Ctrl-D leave the terminal as it was.
func TestJoinInterrupted(t *testing.T) {
	for _, key := range []string{"\x03", "\x04"} {
		cmd := labnetCommand(t, "join")
		cmd.Env = append(cmd.Env, "HOME="+cmd.Dir, "XDG_CONFIG_HOME=")
		p := sitDown(t, cmd)
		p.awaits(t, "invitation (it is not shown): ")
		p.types(t, "labnet1-01ng\r")
		p.awaits(t, "and the rest of it: ")
		p.types(t, key)
		if shown := p.ends(t, cmd); strings.Contains(shown, "01ng") {
			t.Errorf("the terminal shows %q", shown)
		}
		if p.after != p.before {
			t.Errorf("%q: the terminal is left as %+v, was %+v", key, p.after, p.before)
		}
		if cmd.ProcessState.Success() {
			t.Errorf("%q: success", key)
		}
	}
}

// TestInviteOnFullDisk: an invitation for which there is no space changes nothing.
func TestInviteOnFullDisk(t *testing.T) {
	disk := mountSmallDisk(t)
	run(t, labnetCommand(t, "invite", "alice", "--at", "127.0.0.1", "--store", disk))
	access := filepath.Join(disk, ".labnet", "access")
	before := readFile(t, filepath.Join(access, "tokens"))
	rest := filepath.Join(disk, "rest")
	if err := os.WriteFile(rest, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for _, args := range [][]string{{"invite", "bob"}, {"invite", "alice", "--renew"}, {"revoke", "alice"}} {
		stderr, code := fail(t, labnetCommand(t, append(args, "--store", disk)...))
		if code != 1 || !strings.Contains(stderr, "no space left on device") {
			t.Errorf("%s: exit %d: %s", args, code, stderr)
		}
	}
	if after := readFile(t, filepath.Join(access, "tokens")); !bytes.Equal(before, after) {
		t.Errorf("the file has %q, was %q", after, before)
	}
	if left := must(os.ReadDir(access)); len(left) != 2 {
		t.Errorf("there is %v", left)
	}
	if err := os.Remove(rest); err != nil {
		t.Fatal(err)
	}
	run(t, labnetCommand(t, "invite", "bob", "--store", disk, "--at", "127.0.0.1"))
}

// TestInvitesBesideServer: of several invitations at the same moment, while a server
// runs, each admits its user.
func TestInvitesBesideServer(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	run(t, labnetCommand(t, "invite", "first", "--at", "127.0.0.1", "--store", store))
	addr, _ := startServe(t, "--store", store, "--tls", "--tokens", filepath.Join(store, ".labnet", "access", "tokens"))
	var invites []*program
	for i := range 4 {
		invites = append(invites, launch(t, labnetCommand(t, "invite", "user"+itoa(i), "--at", addr, "--store", store)))
	}
	for i, p := range invites {
		if err := p.wait(); err != nil {
			t.Fatal(err)
		}
		cmd := labnetCommand(t, "join", "--name", "s"+itoa(i))
		cmd.Env = append(cmd.Env, "HOME="+cmd.Dir, "XDG_CONFIG_HOME=")
		cmd.Stdin = &p.stdout
		run(t, cmd)
	}
}
