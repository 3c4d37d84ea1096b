package commands

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/hook"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// badValues has, for each variable that is a string, a value that no user can mean,
// or "" if every value may be meant. Whoever adds a flag adds it here.
var badValues = map[string]string{
	"LABNET_ADDR": "nas:http99", "LABNET_PIN": "short", "LABNET_TOKEN_FILE": "",

	"LABNET_LISTEN": "nas:http99", "LABNET_PROXY_FROM": "nas", "LABNET_STORE": "", "LABNET_ON_CONFLICT": "maybe", "LABNET_NAMES": "any", "LABNET_MAX_PARTIAL_SIZE": "much",
	"LABNET_KEEP_FREE": "much", "LABNET_STORE_MEMORY": "much", "LABNET_REPLY": "", "LABNET_LAB": "9", "LABNET_SIZE_BYTES": "3", "LABNET_ADDR_FILE": "",
	"LABNET_LOG_LEVEL": "loud", "LABNET_MAX_MESSAGE": "much", "LABNET_MAX_SIZE": "much", "LABNET_MIN_RATE": "much",
	"LABNET_IDENTITY": "", "LABNET_CERT": "", "LABNET_KEY": "", "LABNET_TOKENS": "",
	"LABNET_FILE_MODE": "rwx", "LABNET_HTTP_HOST": "https://nas", "LABNET_STATUS": "nas:http99", "LABNET_GROUP": "no such group",
	"LABNET_EXEC": "echo 'x", "LABNET_EXEC_ON": "mail",
}

// A variable is one of the environment that stands for a flag of some commands.
type variable struct {
	flag     cli.Flag
	commands []string
}

func variables(t *testing.T) map[string]variable {
	t.Helper()
	all := make(map[string]variable)
	for _, cmd := range newApp(&terminal.Console{}).Commands {
		for _, f := range cmd.Flags {
			for _, name := range f.(cli.DocGenerationFlag).GetEnvVars() {
				all[name] = variable{f, append(all[name].commands, cmd.Name)}
			}
		}
	}
	return all
}

// badValues are values that it cannot have.
func (v variable) badValues(t *testing.T, name string) []string {
	t.Helper()
	switch v.flag.(type) {
	case *cli.BoolFlag:
		return []string{"bad"}
	case *cli.StringFlag:
	default:
		return []string{"bad", "-1"}
	}
	switch bad, known := badValues[name]; {
	case !known:
		t.Errorf("%s is not in badValues", name)
		return nil
	case bad == "":
		return nil
	case bad == "much": // a size
		return []string{bad, "0", "1,5GB", "9EiB"}
	default:
		return []string{bad}
	}
}

// runSeen runs labnet without an input, and returns its exit code and what it told.
func runSeen(t *testing.T, args ...string) (code int, told string) {
	t.Helper()
	stdin, err := os.Open(os.DevNull)
	must(t, err)
	defer stdin.Close()
	var seen bytes.Buffer
	con := terminal.New(stdin, &seen, &seen)
	return run(t.Context(), con, append([]string{"labnet"}, args...)), seen.String()
}

// TestVariables: each variable has the effect of its flag in each command that has
// it, and a wrong value is a wrong command line that names it.
func TestVariables(t *testing.T) {
	arguments := map[string][]string{"say": {"hi"}, "blob": {"-n", "1"}, "ping": {"-c", "1"}, "upload": {"file"}}
	t.Chdir(t.TempDir())
	files("file")(t)
	for name, v := range variables(t) {
		for _, command := range v.commands {
			t.Run(command+" "+name, func(t *testing.T) {
				flag := v.flag.Names()[0]
				good, want := map[string]string{"bool": "1", "int": "7", "time": "7", "text": "7"}, any("7")
				value := good["text"]
				switch v.flag.(type) {
				case *cli.BoolFlag:
					value, want = good["bool"], true
				case *cli.IntFlag:
					value, want = good["int"], 7
				case *timeFlag:
					value, want = good["time"], 7*time.Second
				}
				t.Setenv(name, value)
				app := newApp(&terminal.Console{})
				var got any
				app.Command(command).Action = func(c *cli.Context) error {
					switch want.(type) {
					case bool:
						got = c.Bool(flag)
					case int:
						got = c.Int(flag)
					case time.Duration:
						got = c.Duration(flag)
					default:
						got = c.String(flag)
					}
					return nil
				}
				if err := app.Run([]string{"labnet", command}); err != nil || got != want {
					t.Errorf("%s=%s: got %v, %v, want %v", name, value, got, err, want)
				}

				for _, bad := range v.badValues(t, name) {
					t.Setenv(name, bad)
					code, told := runSeen(t, append([]string{command}, arguments[command]...)...)
					if code != problem.ExitUsage || !strings.HasPrefix(told, "labnet: error: "+name+" ") && !strings.HasPrefix(told, "labnet: error: "+name+":") {
						t.Errorf("%s=%s: exit %d, %s", name, bad, code, told)
					}
				}
			})
		}
	}
}

// TestWhichFlagsHaveVariables: each flag of serve has one, because services and
// containers are set up by variables. Of clients, those have one that say where the
// server is and how to reach it. What one run is to do, and what programs read of
// it, must not depend on what an environment happens to hold.
func TestWhichFlagsHaveVariables(t *testing.T) {
	want := map[string]bool{"--addr": true, "--timeout": true, "--tls": true, "--pin": true, "--token-file": true}
	// of commands that change what serve uses, or ask a server
	also := map[string][]string{"invite": {"--identity", "--store", "--tokens"}, "revoke": {"--store", "--tokens"}, "users": {"--store", "--tokens"}, "join": {"--timeout"}}
	for _, cmd := range newApp(&terminal.Console{}).Commands {
		for _, f := range flagsOf(cmd) {
			wanted := cmd.Name == "serve" || flagNamed(cmd.Flags, "addr") != nil && want[f.long] || slices.Contains(also[cmd.Name], f.long)
			if f.long != "--help" && wanted != (f.env != "") {
				t.Errorf("%s %s: its variable is %q", cmd.Name, f.long, f.env)
			}
		}
	}
}

// TestDocumentedFlags: the table in docs/upload.md has the flags of all clients, and their variables.
func TestDocumentedFlags(t *testing.T) {
	text, err := os.ReadFile("../docs/upload.md")
	must(t, err)
	_, table, _ := strings.Cut(string(text), "## All clients")
	_, table, _ = strings.Cut(table, "|---|")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, f := range clientFlags() {
		doc := docOf(f)
		for _, word := range append(doc.spellings(), doc.env) {
			if !regexp.MustCompile("`"+regexp.QuoteMeta(word)+"[` ]").MatchString(table) && word != "" {
				t.Errorf("the table of docs/upload.md does not have %s", word)
			}
		}
	}
}

// TestVariablesApart: clients do not mind the variables of serve, nor serve theirs,
// and neither takes for its own what the commands of --exec are told.
func TestVariablesApart(t *testing.T) {
	addr := serveDir(t, &wire.Server{}, dir.Options{}).Addr().String()
	t.Chdir(t.TempDir())
	files("file")(t)
	all := variables(t)
	set := func(t *testing.T, of func(variable) bool) {
		for name, v := range all {
			if of(v) {
				t.Setenv(name, "\x01")
			}
		}
	}
	ofServe := func(v variable) bool { return slices.Contains(v.commands, "serve") }
	t.Run("clients", func(t *testing.T) {
		set(t, ofServe)
		for _, fact := range hook.Facts(fullFacts()) {
			name, value, _ := strings.Cut(fact, "=")
			t.Setenv(name, value)
		}
		for _, args := range [][]string{{"say", "hi"}, {"blob", "-s", "1"}, {"ping", "-c", "1"}, {"upload", "file"}} {
			if code, told := runSeen(t, append(args, "-a", addr)...); code != 0 {
				t.Errorf("%s: exit %d, %s", args, code, told)
			}
		}
	})
	t.Run("serve", func(t *testing.T) {
		set(t, func(v variable) bool { return !ofServe(v) })
		t.Setenv(client.TokenEnv, "\x01")
		if code, told := runSeen(t, "serve", "--store", "file"); code != problem.ExitFailed || !strings.Contains(told, "store file: not a directory") {
			t.Errorf("exit %d, %s", code, told)
		}
	})
}

// fullFacts is a receipt that has all there can be.
func fullFacts() terminal.Object {
	text, size, seconds := "text", int64(1), 1.0
	return terminal.Object{
		Op: "upload", Time: "now", Remote: "r", Lab: true, User: "u", Name: "n", Path: "p", CRC64NVME: "c", SHA256: "s", BLAKE3: "b",
		Unchanged: true, Compared: "contents", Size: &size, Text: &text, Seconds: &seconds, Resumed: 1,
	}
}

// TestVariablesDocumented: what is told of variables is of such as there are.
func TestVariablesDocumented(t *testing.T) {
	known := slices.Collect(maps.Keys(variables(t)))
	known = append(known, client.TokenEnv)
	for _, fact := range hook.Facts(fullFacts()) {
		name, _, _ := strings.Cut(fact, "=")
		known = append(known, name)
	}
	var documents []string
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../packaging/*.md", "../packaging/*.1", "../packaging/*.yaml", "../packaging/Containerfile", "../packaging/systemd/*", "../examples/*/*"} {
		found, err := filepath.Glob(filepath.FromSlash(pattern))
		must(t, err)
		documents = append(documents, found...)
	}
	for _, file := range documents {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a folder
		}
		for _, name := range regexp.MustCompile(`LABNET_[A-Z0-9_]*[A-Z0-9]`).FindAllString(string(text), -1) {
			if !slices.Contains(known, name) && !strings.HasPrefix(name, "LABNET_TEST") {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
	}
	text := string(func() []byte { b, err := os.ReadFile("../packaging/labnet.1"); must(t, err); return b }())
	_, text, _ = strings.Cut(text, ".SH ENVIRONMENT")
	for name, v := range variables(t) {
		if !slices.Contains(v.commands, "serve") && !strings.Contains(text, name+`\fR`) {
			t.Errorf("the manual does not have %s", name)
		}
	}
}
