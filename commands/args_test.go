package commands

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/commands/terminal/terminaltest"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// TestNearest: what may have been meant, and that nothing is made of what is too far.
func TestNearest(t *testing.T) {
	commands := commandNames(newApp(&terminal.Console{}))
	tests := []struct {
		typed string
		words []string
		want  string
	}{
		{"uplaod", commands, "upload"}, {"upload-", commands, "upload"}, {"Upload", commands, "upload"}, {"up", commands, "upload"},
		{"uploads", commands, "upload"}, {"upl", commands, "upload"}, {"pign", commands, "ping"}, {"server", commands, "servers"}, {"sya", commands, "say"},
		{"frobnicate", commands, ""}, {"nas", commands, ""}, {"x", commands, ""}, {"", commands, ""}, {"report", commands, ""},
		{"strore", []string{"store", "store-memory"}, "store"}, {"no-time", []string{"no-times", "no-perms"}, "no-times"},
		{"max-con", []string{"max-conns", "max-conns-per-ip"}, "max-conns"}, {"warning", []string{"info", "warn"}, "warn"},
		{"sha-265", []string{"crc64nvme", "sha256"}, "sha256"}, {"md5", []string{"crc64nvme", "sha256"}, ""},
	}
	for _, test := range tests {
		if got := nearest(test.typed, test.words); got != test.want {
			t.Errorf("%q: got %q, want %q", test.typed, got, test.want)
		}
	}
}

// TestTaken: command lines that are clear are taken, however they are written.
func TestTaken(t *testing.T) {
	l := serveDir(t, &wire.Server{}, dir.Options{})
	addr := l.Addr().String()
	_, port, _ := strings.Cut(addr, ":")
	t.Chdir(t.TempDir())
	files("file")(t)
	for _, line := range []string{
		"ping -c 1 ADDR", "ping -c1 ADDR", "ping -qc1 ADDR", "ping ADDR -c 1", "ping -a ADDR -c 1 -i 0.2", "-a ADDR ping -c 1", "-qaADDR ping -c1",
		"--addr=ADDR --json say hi", "say -aADDR hi", "say -a PORT hi", "say -a :PORT hi", "say -a tcp://ADDR hi",
		"upload -a ADDR --digest SHA-256 file", "upload -qLa ADDR file", "upload -a ADDR --retry-for 30 --timeout 5 file", "upload -a ADDR --retry-for 1d file",
		"blob -a ADDR -s 1K", "blob -aADDR -n2 -s10KB",
	} {
		line = strings.NewReplacer("ADDR", addr, "PORT", port).Replace(line)
		if code, told := runSeen(t, strings.Fields(line)...); code != 0 {
			t.Errorf("%s: exit %d, %s", line, code, told)
		}
	}
	t.Setenv("LABNET_ADDR", "127.0.0.1:1") // an argument beats it
	if code, told := runSeen(t, "ping", "-c1", addr); code != 0 {
		t.Errorf("ping %s: exit %d, %s", addr, code, told)
	}
}

// TestVersionAlike: all ways to ask for the version have one answer.
func TestVersionAlike(t *testing.T) {
	_, want := runSeen(t, "version")
	for _, args := range [][]string{{"--version"}, {"-v"}, {"-V"}} {
		if code, got := runSeen(t, args...); code != 0 || got != want {
			t.Errorf("%s: exit %d, %q, want %q", args, code, got, want)
		}
	}
	_, want = runSeen(t, "version", "--json")
	if code, got := runSeen(t, "--version", "--json"); code != 0 || got != want {
		t.Errorf("--version --json: exit %d, %q, want %q", code, got, want)
	}
}

// TestFlagOrder: arguments are put in order as getopt(3) does.
func TestFlagOrder(t *testing.T) {
	app := newApp(&terminal.Console{})
	tests := []struct{ command, args, want string }{
		{"upload", "a -q b", "-q -- a b"},
		{"upload", "a -- -q b", "-- a -q b"},
		{"upload", "-qL a", "-q -L -- a"},
		{"upload", "-Lqanas a", "-L -q -a nas -- a"},
		{"upload", "-Lqa nas a", "-L -q -a nas -- a"},
		{"upload", "-qx a", "-qx -- a"},
		{"upload", "-name x a", "-name x -- a"},
		{"upload", "-name=x a", "-name=x -- a"},
		{"upload", "- -q", "-q -- -"},
		{"upload", "a -a", "-a"},
		{"ping", "-c3 -i-1s", "-c 3 -i -1s --"},
		{"blob", "-n5 -s10MB", "-n 5 -s 10MB --"},
	}
	for _, test := range tests {
		got := strings.Join(gnuOrder(app.Command(test.command).Flags, strings.Fields(test.args)), " ")
		if got != test.want {
			t.Errorf("%s %s: got %q, want %q", test.command, test.args, got, test.want)
		}
	}
	for line, want := range map[string]string{
		"-a nas upload x": "upload -a nas x", "-anas -q upload -L x": "upload -anas -q -L x", "--addr=nas ping": "ping --addr=nas",
		"-v": "version", "upload -v": "upload -v", "--store x serve -l 1": "serve --store x -l 1", "--help upload": "help upload",
		"--store x upload y": "upload --store x y", "-x upload y": "", "x upload": "", "": "", "-- upload": "", "- upload": "", "-a": "",
	} {
		cmd, rest := commandFirst(app, strings.Fields(line))
		got := ""
		if cmd != nil {
			got = strings.Join(append([]string{cmd.Name}, rest...), " ")
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// TestTimes: a time is in seconds if it has no unit, and may be in days.
func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, "0.2": 200 * time.Millisecond, "-5": -5 * time.Second, "0": 0, "30s": 30 * time.Second, "1h30m": 90 * time.Minute,
		"30 s": 30 * time.Second, "1h 30m": 90 * time.Minute, "2 d": 48 * time.Hour, " 5 ": 5 * time.Second,
		"2d": 48 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "5ms": 5 * time.Millisecond,
	} {
		if got, err := parseSpan(text); err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "soon", "1e3", "NaN", "Inf", "0x10", "1d2", "d", "1_000", "-1d5h", "30sec", "99999999d", "99999999999999999999"} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

// TestTimesEverywhere: every flag of every command that is a time is one of those.
func TestTimesEverywhere(t *testing.T) {
	for _, cmd := range newApp(&terminal.Console{}).Commands {
		for _, f := range cmd.Flags {
			if f, plain := f.(*cli.DurationFlag); plain {
				t.Errorf("%s --%s", cmd.Name, f.Name)
			}
		}
	}
}

// TestListens: serve listens where it is told, in short too.
func TestListens(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	t.Chdir(t.TempDir())
	stdin, err := os.Open(os.DevNull)
	must(t, err)
	defer stdin.Close()
	var told terminaltest.Buffer
	ended := make(chan int)
	go func() {
		con := terminal.New(stdin, &told, &told)
		ended <- run(ctx, con, strings.Fields("labnet serve -l 0 --addr-file addr --no-sandbox --drain 1"))
	}()
	for range 2000 {
		if text, err := os.ReadFile("addr"); err == nil {
			if !strings.HasPrefix(string(text), "127.0.0.1:") {
				t.Errorf("listens at %s", text)
			}
			break
		}
		select {
		case code := <-ended:
			t.Fatalf("exit %d: %s", code, &told)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	<-ended
}
