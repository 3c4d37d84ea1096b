package commands

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// TestAddresses: what users give for a server, and for an address to listen at. An
// empty string is an error.
func TestAddresses(t *testing.T) {
	tests := []struct{ given, server, listen string }{
		{"nas", "nas:9000", "nas:9000"},
		{"nas:", "nas:9000", "nas:9000"},
		{"nas:9001", "nas:9001", "nas:9001"},
		{" nas:9001\n", "nas:9001", "nas:9001"},
		{"nas.example.com.", "nas.example.com.:9000", "nas.example.com.:9000"},
		{"bücher.example", "bücher.example:9000", "bücher.example:9000"},
		{"192.0.2.7", "192.0.2.7:9000", "192.0.2.7:9000"},
		{"192.0.2.7:1", "192.0.2.7:1", "192.0.2.7:1"},
		{"::1", "[::1]:9000", "[::1]:9000"},
		{"[::1]", "[::1]:9000", "[::1]:9000"},
		{"[::1]:", "[::1]:9000", "[::1]:9000"},
		{"[::1]:9001", "[::1]:9001", "[::1]:9001"},
		{"::", "[::]:9000", "[::]:9000"},
		{"::1:80", "[::1:80]:9000", "[::1:80]:9000"},
		{"::1:9000", "", ""}, // may be either
		{"::1:19000", "[::1]:19000", "[::1]:19000"},
		{"::1:99999", "", ""},
		{"2001:db8::7", "[2001:db8::7]:9000", "[2001:db8::7]:9000"},
		{"2001:db8:1:2:3:4:5:6", "[2001:db8:1:2:3:4:5:6]:9000", "[2001:db8:1:2:3:4:5:6]:9000"},
		{"2001:db8:1:2:3:4:5:6:9000", "[2001:db8:1:2:3:4:5:6]:9000", "[2001:db8:1:2:3:4:5:6]:9000"},
		{"2001:db8:1:2:3:4:5:9000", "[2001:db8:1:2:3:4:5:9000]:9000", "[2001:db8:1:2:3:4:5:9000]:9000"},
		{"fe80::1%eth0", "[fe80::1%eth0]:9000", "[fe80::1%eth0]:9000"},
		{"[fe80::1%eth0]:9001", "[fe80::1%eth0]:9001", "[fe80::1%eth0]:9001"},
		{"fe80::1%eth0:9001", "[fe80::1%eth0]:9001", "[fe80::1%eth0]:9001"},
		{"9001", "127.0.0.1:9001", "127.0.0.1:9001"},
		{":9001", "127.0.0.1:9001", ":9001"},
		{"*:9001", "*:9001", ":9001"},
		{"127.0.0.1:0", "", "127.0.0.1:0"},
		{"0", "", "127.0.0.1:0"},
		{"nas:http", "nas:http", "nas:http"},
		{"tcp://nas", "nas:9000", "nas:9000"},
		{"TCP://nas:9001/", "nas:9001", "nas:9001"},
		{"labnet://[::1]", "[::1]:9000", "[::1]:9000"},
		{"", "", ""},
		{":", "", ""},
		{"http://nas:9000", "", ""},
		{"https://nas", "", ""},
		{"tls://nas:9000", "", ""},
		{"tcp://", "", ""},
		{"nas/inbox", "", ""},
		{"nas:9000/inbox", "", ""},
		{"alice@nas", "", ""},
		{"a b", "", ""},
		{"a\tb", "", ""},
		{"nas\x1b[31m", "", ""},
		{"\u202enas", "", ""},
		{"nas/", "", ""},
		{"nas 9000", "", ""},
		{"[::1", "", ""},
		{"[::1]9000", "", ""},
		{"nas:99999", "", ""},
		{"99999", "", ""},
		{"nas:-1", "", ""},
		{"a:b:c", "", ""},
		{`C:\inbox`, "", ""},
	}
	for _, test := range tests {
		server, host, err := serverAddress(test.given, "--addr")
		if server != test.server || (err == nil) != (server != "") || err == nil && host == "" {
			t.Errorf("server %q: got %q, %q, %v, want %q", test.given, server, host, err, test.server)
		}
		listen, err := listenAddress(test.given)
		if listen != test.listen || (err == nil) != (listen != "") {
			t.Errorf("listen %q: got %q, %v, want %q", test.given, listen, err, test.listen)
		}
	}
}

// TestLikelyServer: which arguments cannot be taken for anything else.
func TestLikelyServer(t *testing.T) {
	tests := map[string]string{
		"nas:9000": "nas:9000", "nas.example.com:9000": "nas.example.com:9000", "192.0.2.7": "192.0.2.7", "192.0.2.7:9000": "192.0.2.7:9000",
		"::1": "::1", "[::1]": "[::1]", "[::1]:9000": "[::1]:9000", "tcp://nas:9000/": "nas:9000", "http://nas": "nas",
		"nas:": "nas", "nas:inbox/": "nas", "alice@nas:inbox": "nas", "alice@nas:9000": "nas:9000",

		"nas": "", "report.pdf": "", "nas.example.com": "", "12:30": "", "a:b:c": "", `C:\x`: "", "C:": "", "folder/x:9000": "",
		"-": "", "": "", "a b:9000": "", "file:///tmp/x": "", "alice@example.com": "", ":9000": "", "9000": "",
	}
	for given, want := range tests {
		if got, likely := likelyServer(given); got != want && likely || likely != (want != "") {
			t.Errorf("%q: got %q, %t, want %q", given, got, likely, want)
		}
	}
}

// TestFingerprintForms: a fingerprint may be written as other programs do.
func TestFingerprintForms(t *testing.T) {
	const digits = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	want, err := hex.DecodeString(digits)
	must(t, err)
	var colons []string
	for pair := range slices.Chunk([]byte(strings.ToUpper(digits)), 2) {
		colons = append(colons, string(pair))
	}
	for _, form := range []string{
		digits, "sha256:" + digits, strings.ToUpper(digits), "SHA256:" + strings.ToUpper(digits), " " + digits + "\n",
		strings.Join(colons, ":"), "sha256:" + strings.Join(colons, ":"), "sha256//" + base64.StdEncoding.EncodeToString(want),
	} {
		if got, err := parseFingerprint(form); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %x, %v", form, got, err)
		}
	}
	for _, form := range []string{"", "sha256:", digits[1:], digits + "00", "sha1:" + digits, "sha256//AAAA", strings.Replace(digits, "2c", "xx", 1), "sha256:sha256:" + digits} {
		if got, err := parseFingerprint(form); err == nil {
			t.Errorf("%q is taken for %x", form, got)
		}
	}
}

// TestNearest: what may have been meant, and that nothing is made of what is too far.
func TestNearest(t *testing.T) {
	commands := commandNames(newApp(&terminal.Console{}))
	tests := []struct {
		typed string
		words []string
		want  string
	}{
		{"uplaod", commands, "upload"}, {"upload-", commands, "upload"}, {"Upload", commands, "upload"}, {"up", commands, "upload"},
		{"uploads", commands, "upload"}, {"upl", commands, "upload"}, {"pign", commands, "ping"}, {"server", commands, "serve"}, {"sya", commands, "say"},
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
	var told syncBuffer
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
